#!/bin/sh
# target/demo/m13*.fits: an image of the globular cluster M13 from the Digitized Sky Survey, plain and in four
# compressions, out of astropy's wheel (pinned, hash checked, only unpacked).
set -eu
cd "$(dirname "$0")/../.."

dir=target/demo
[ -f "$dir/m13.fits" ] && exit 0

python=${PYTHON:-python3}
if ! "$python" -m pip --version >/dev/null 2>&1; then
    tests/setup/python.sh
    python=target/venv/bin/python
fi
mkdir -p "$dir"
# The platform is named so that every machine gets the file that the hash is of.
if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi abi3 \
    --dest "$dir" -r tests/setup/demo-image.txt >"$dir/pip.log" 2>&1; then
    cat "$dir/pip.log" >&2
    echo >&2
    echo "The demo's image could not be fetched: it lies in a Python package, which needs the network." >&2
    echo "Without a network, name an image of your own and a position on it in degrees:" >&2
    echo "    make demo IMAGE=path/to/image.fits RA=250.4226 DEC=36.4602" >&2
    exit 1
fi
"$python" - "$dir" <<'PYTHON'
import pathlib, sys, zipfile

target = pathlib.Path(sys.argv[1])
for wheel in target.glob("astropy-*.whl"):
    with zipfile.ZipFile(wheel) as files:
        # The plain image last: it is what says that all are there.
        names = [n for n in files.namelist() if "compressed/tests/data/m13" in n]
        for name in sorted(names, key=lambda n: n.endswith("/m13.fits")):
            (target / pathlib.Path(name).name).write_bytes(files.read(name))
    wheel.unlink()
PYTHON
