#!/bin/sh
# cargo-deny in target/tools, then the rules of deny.toml. Known vulnerabilities are looked up only where the advisory
# database can be reached.
set -eu
cd "$(dirname "$0")/../.."

version=0.20.2
deny=target/tools/bin/cargo-deny
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    echo "building cargo-deny $version (once)"
    # Unoptimised: it builds in a third of the time and runs for a second.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked cargo-deny --version "$version" --root target/tools
fi
"$deny" --log-level warn check --hide-inclusion-graph bans licenses sources

if timeout 20 git ls-remote --exit-code https://github.com/RustSec/advisory-db HEAD >/dev/null 2>&1; then
    "$deny" --log-level warn check advisories
else
    echo "advisories: not checked, the RustSec database cannot be reached from here"
fi
