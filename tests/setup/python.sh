#!/bin/sh
# python.sh [charts]: target/venv, Python with the astronomers' own packages, which the tests compare our answers with; or
# target/venv-charts, with the tools of the chart's tests. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
if [ "${1:-}" = charts ]; then
    venv=target/venv-charts
    wanted=tests/setup/charts.txt
    options=--no-deps
else
    venv=target/venv
    wanted=tests/setup/requirements.txt
    options=
fi
cmp -s "$wanted" "$venv/installed.txt" && "$venv/bin/python" -c '' 2>/dev/null && exit 0

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "The tests need Python 3.11 or newer, which the pinned astropy and numpy ask for;" >&2
    echo "'$python' is $("$python" --version 2>/dev/null || echo 'not there'). Name another: make test PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        echo "'$python' has no venv module: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "making $venv"
rm -rf "$venv"
"$python" -m venv "$venv"
# shellcheck disable=SC2086  # none or one
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: $options -r "$wanted"
cp "$wanted" "$venv/installed.txt"
