#!/usr/bin/env python3
"""1,000 cutouts beside CFITSIO: cutouts.py SERVER CUTOUT-BINARY CFITSIO-BINARY [ROUNDS]   (numpy, astropy, fpack)

Source and cutouts lie on a memory file system. In turn: CFITSIO by one thread, the library one cutout at a time, the
library two at a time, and a job of the real server from POST to COMPLETED, the same 1,000 positions each. All of the
last round's pixels are compared, and ours checked against their sums.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from astropy.io import fits

from server import Server
from table import note, ratio, shown, table

SIDES = (
    ("cfitsio", "CFITSIO, no sums"),
    ("one", "library, 1 at a time"),
    ("two", "library, 2 at a time"),
    ("job", "job of the server"),
)


class Bench:
    def __init__(self, server, cutout, cfitsio, folder):
        self.binaries = {"cfitsio": cfitsio, "one": cutout, "two": cutout}
        self.folder = folder
        self.server = server
        self.positions = folder / "positions.csv"
        self.count = len(self.positions.read_text().split()) - 1

    def library(self, side, image):
        """A fresh folder of cutouts, and cutouts per second."""
        out = self.folder / side
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        at_once = {"one": ["1"], "two": ["2"]}.get(side, [])
        command = [self.binaries[side], image, self.positions, out, *at_once]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def job(self, image):
        """Cutouts per second of a job, from its POST to its end; its files come to the folder `job`."""
        rows = [line.split(",") for line in self.positions.read_text().split()[1:]]
        table = "RA,DEC,OBJID\n" + "".join(f"{ra},{dec},{n}\n" for n, (ra, dec, *_) in enumerate(rows))
        start = time.perf_counter()
        job = self.server.create(
            "cutout", {"COLLECTION": image.name.split(".")[0], "SIZE": "256px", "POSITIONS": table, "PHASE": "RUN"}
        )
        phase = self.server.wait(job)
        took = time.perf_counter() - start
        if phase != "COMPLETED":
            raise SystemExit(f"{job} is {phase}: {self.server.get(job + '/error')}")
        manifest = json.loads(self.server.get(f"{job}/results/manifest.json"))
        if manifest["counts"] != {"ok": self.count, "failed": 0}:
            raise SystemExit(f"{job}: {manifest['counts']}")
        self.last_job = (job, manifest)
        return self.count / took

    def fetch(self):
        """The files of the last job, by row."""
        job, manifest = self.last_job
        out = self.folder / "job"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        sums = ""
        for row in manifest["rows"]:
            name = f"{row['row'] - 1}.fits"
            (out / name).write_bytes(self.server.get_bytes(f"{job}/results/{row['file']}"))
            sums += f"{row['sha256']}  {name}\n"
        (out / "SHA256SUMS").write_text(sums)

    def compare(self, sides):
        """Every cutout of every side has CFITSIO's pixels and place, and its sums are right."""
        for side in sides:
            sums = dict(reversed(line.split("  ")) for line in (self.folder / side / "SHA256SUMS").read_text().splitlines())
            for row in range(self.count):
                path = self.folder / side / f"{row}.fits"
                if hashlib.sha256(path.read_bytes()).hexdigest() != sums[path.name]:
                    raise SystemExit(f"{path}: wrong sha256")
                with fits.open(self.folder / "cfitsio" / f"{row}.fits") as theirs, fits.open(path, checksum=True) as hdus:
                    ours = next(hdu for hdu in hdus if hdu.data is not None)
                    if not ours.verify_checksum() == ours.verify_datasum() == 1:
                        raise SystemExit(f"{path}: wrong CHECKSUM or DATASUM")
                    if not np.array_equal(ours.data, theirs[0].data, equal_nan=True):
                        raise SystemExit(f"{path}: other pixels than CFITSIO's")
                    for name in ("CRPIX1", "CRPIX2", "CRVAL1", "BUNIT"):
                        if ours.header[name] != theirs[0].header[name]:
                            raise SystemExit(f"{path}: other {name} than CFITSIO's")


def main():
    server, cutout, cfitsio = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sidereal-bench-", dir="/dev/shm"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        note("cutout: making the image, a minute")
        subprocess.run(
            [sys.executable, pathlib.Path(__file__).parent / "data.py", folder], check=True, stdout=sys.stderr
        )
        images = [folder / "plain.fits", folder / "tiled.fits.fz"]
        running = stack.enter_context(Server(server, data=folder / "data"))
        for image in images:
            running.command("ingest", image.name.split(".")[0], f"file://{image}")
        bench = Bench(running, cutout, cfitsio, folder)
        rates = {(image, side): [] for image in images for side, _ in SIDES}
        for last in [False] * (rounds - 1) + [True]:
            for image in images:
                for side, _ in SIDES:
                    rate = bench.job(image) if side == "job" else bench.library(side, image)
                    rates[image, side].append(rate)
                    note(f"cutout: {image.name}: {side}: {rate:,.0f}/s")
                    if side == "job":
                        if last:
                            bench.fetch()
                        running.delete(bench.last_job[0])
                if last:
                    bench.compare([side for side, _ in SIDES[1:]])
                    note(f"cutout: {image.name}: all pixels, places and sums agree")
        rows = []
        for image in images:
            theirs = rates[image, "cfitsio"]
            for side, name in SIDES:
                ours = rates[image, side]
                against = "" if side == "cfitsio" else f"{ratio(ours, theirs):.2f}"
                rows.append([image.name, name, shown(ours), against, "" if side == "cfitsio" else "≥ 1"])
        size = os.path.getsize(folder / "cfitsio" / "0.fits")
        table(
            f"Cutouts of 256 × 256 pixels from 10,000 × 10,000, per second ({bench.count:,} files of {size:,} bytes)",
            ["image", "by", "cutouts/s", "over CFITSIO", "target"],
            rows,
        )


main()
