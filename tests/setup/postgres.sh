#!/bin/sh
# postgres.sh COMMAND…: runs the command with SIDEREAL_TEST_POSTGRES pointing at a PostgreSQL server of its own, which
# ends with it. The server listens on a free port of loopback, trusts its callers, and does not survive a power cut.
set -eu

bin=$(dirname "$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")
home=$(mktemp -d "${TMPDIR:-/tmp}/sidereal-postgres.XXXXXX")
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    chown postgres "$home"
    as="runuser -u postgres --"
else
    as=""
fi
finish() {
    (cd "$home" && $as "$bin/pg_ctl" -D "$home/data" -m immediate -s stop) || true
    rm -rf "$home"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

(cd "$home" && $as "$bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$home/initdb.log") \
    || { cat "$home/initdb.log" >&2; exit 1; }

# A port that is free now may be taken a moment later: try a few.
for _ in 1 2 3 4 5; do
    port=$(shuf -i 20000-32000 -n 1)
    if (cd "$home" && $as "$bin/pg_ctl" -D "$home/data" -l "$home/data/server.log" -s -w -t 60 start -o "-p $port -k $home \
        -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
        -c max_connections=300 -c shared_buffers=128MB") 2>"$home/start.log"; then
        SIDEREAL_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
        export SIDEREAL_TEST_POSTGRES
        "$@"
        exit
    fi
done
cat "$home/start.log" "$home/data/server.log" >&2
exit 1
