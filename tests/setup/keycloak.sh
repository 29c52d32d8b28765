#!/bin/sh
# Prints the folder of a Keycloak from Maven Central (pinned, hash checked), built for the tests: an in-memory database.
# It lies in the user's cache, outside of the clone, and is never written again. Where Maven Central cannot be reached
# the tests with Keycloak are skipped, loudly (an empty line is printed); with CI set that is a failure.
set -eu

version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sidereal
home=$cache/keycloak-$version

# The folder gets its name by a rename when it is whole.
if [ -d "$home" ]; then
    echo "$home"
    exit
fi

mkdir -p "$cache"
# Of two at once, one fetches.
exec 9>"$cache/keycloak.lock"
flock 9
if [ -d "$home" ]; then
    echo "$home"
    exit
fi
work=$(mktemp -d "$cache/keycloak.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetching Keycloak $version (once, 180 MB)" >&2
# A repository of its own: it would else lie in ~/.m2 for ever. Maven's settings count as usual.
if ! mvn -q -B -Dmaven.repo.local="$work/repository" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$work" >"$work/mvn.log" 2>&1; then
    cat "$work/mvn.log" >&2
    {
        echo
        echo "**** Keycloak could not be fetched from Maven Central: EVERY TEST WITH KEYCLOAK IS SKIPPED. ****"
        echo
    } >&2
    [ -z "${CI:-}" ] || exit 1
    echo
    exit
fi
zip=$work/keycloak-quarkus-dist-$version.zip
echo "$sha256  $zip" | sha256sum --check --quiet >&2
"${PYTHON:-python3}" -m zipfile -e "$zip" "$work"
# What a start with these options would do each time (20 s).
sh "$work/keycloak-$version/bin/kc.sh" build --db=dev-mem >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
mv "$work/keycloak-$version" "$home"
echo "$home"
