#!/usr/bin/env python3
"""1,000 cutouts beside CFITSIO and astropy: cutouts.py SERVER CUTOUT-BINARY CFITSIO-BINARY [ROUNDS]

(numpy, astropy, fpack.) Source and cutouts lie on a memory file system. In turn: CFITSIO by one thread, astropy (the
first 200), the library one cutout at a time and as a batch, a job of the real server from POST to COMPLETED, and the
limit: each tile that the boxes touch decoded once by all cores, and as many bytes written as as many files. All of the
last round's pixels are compared, and ours checked against their sums. Then the batch over S3 that answers after 20 ms;
one cutout at a time, by the library and by SODA's sync; when the first of a batch is there; and the memory of the
server while it cuts a map of 3 GB.
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
import urllib.parse

import numpy as np
from astropy.io import fits

from server import Server
from table import note, number, ratio, shown, table

SIDES = (
    ("cfitsio", "CFITSIO, no sums"),
    ("astropy", "astropy, no sums"),
    ("one", "library, 1 at a time"),
    ("batch", "library, batch"),
    ("job", "job of the server"),
    ("limit", "limit"),
)
OURS = ("one", "batch", "job")
# The job over CFITSIO and over astropy.
AIMS = {"plain": (2, 10), "rows": (10, 15), "tiled": (1.7, 8), "gzip": (8, 20)}
OF_LIMIT = 0.7
ASTROPY = 200
# Of a circle whose box has about 256 pixels, deg.
RADIUS = 128 * 0.25 / 60
# Pixels along an axis of the map of two HDUs, 3.2 GB.
MAP = 20_000


class Bench:
    def __init__(self, server, cutout, cfitsio, folder):
        here = pathlib.Path(__file__).parent
        self.commands = {
            "cfitsio": ([cfitsio], []),
            "astropy": ([sys.executable, here / "astropy_cutouts.py"], [str(ASTROPY)]),
            **{way: ([cutout, way], []) for way in ("one", "batch", "limit", "s3", "latency")},
        }
        self.folder = folder
        self.server = server
        self.positions = folder / "positions.csv"
        self.count = len(self.positions.read_text().split()) - 1

    def library(self, side, image):
        """A fresh folder of cutouts; the numbers that were printed, and the most memory that it took."""
        out = self.folder / side
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        before, after = self.commands[side]
        process = subprocess.Popen(
            [*map(str, before), image, self.positions, out, *after], stdout=subprocess.PIPE, text=True
        )
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{side} of {image}: ended with {process.returncode}")
        return [float(word) for word in said.split()], usage.ru_maxrss * 1024

    def request(self, image, collection=None):
        """The parameters that ask for all positions."""
        rows = [line.split(",") for line in self.positions.read_text().split()[1:]]
        table = "RA,DEC,OBJID\n" + "".join(f"{ra},{dec},{n}\n" for n, (ra, dec, *_) in enumerate(rows))
        return {"COLLECTION": collection or image.name.split(".")[0], "SIZE": "256px", "POSITIONS": table}

    def job(self, image, collection=None):
        """Cutouts per second of a job, from its POST to its end; its files come to the folder `job`."""
        request = self.request(image, collection)
        start = time.perf_counter()
        job = self.server.create("cutout", {**request, "PHASE": "RUN"})
        phase = self.server.wait(job)
        took = time.perf_counter() - start
        if phase != "COMPLETED":
            raise SystemExit(f"{job} is {phase}: {self.server.get(job + '/error')}")
        manifest = json.loads(self.server.get(f"{job}/results/manifest.json"))
        if manifest["counts"] != {"ok": self.count, "failed": 0}:
            raise SystemExit(f"{job}: {manifest['counts']}")
        self.last_job = (job, manifest)
        return self.count / took

    def first(self, image):
        """Milliseconds from a job's POST until its first result is listed."""
        start = time.perf_counter()
        job = self.server.create("cutout", {**self.request(image), "PHASE": "RUN"})
        while ".fits" not in self.server.get(job + "/results"):
            pass
        took = time.perf_counter() - start
        self.server.wait(job)
        self.server.delete(job)
        return took * 1e3

    def sync(self, image):
        """Milliseconds of answers to SODA's sync, one after the other: median and 99th of 100."""
        name = image.name.split(".")[0]
        taken = []
        for line in self.positions.read_text().split()[1:101]:
            ra, dec, *_ = line.split(",")
            query = urllib.parse.urlencode({"ID": f"{name}/{image.name}", "CIRCLE": f"{ra} {dec} {RADIUS}"})
            start = time.perf_counter()
            self.server.get_bytes(f"/api/cutout/sync?{query}")
            taken.append((time.perf_counter() - start) * 1e3)
        return sorted(taken)[50], sorted(taken)[99]

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
        images = [folder / name for name in ("plain.fits", "rows.fits.fz", "tiled.fits.fz", "gzip.fits.fz")]
        running = stack.enter_context(Server(server, data=folder / "data"))
        for image in images:
            running.command("ingest", image.name.split(".")[0], f"file://{image}")
        bench = Bench(running, cutout, cfitsio, folder)
        rates = {(image, side): [] for image in images for side, _ in SIDES}
        peaks = {}
        for last in [False] * (rounds - 1) + [True]:
            for image in images:
                for side, _ in SIDES:
                    if side == "job":
                        running.forget_peak()
                        rate, peaks[image, side] = bench.job(image), running.peak()
                    else:
                        (rate, *_), peaks[image, side] = bench.library(side, image)
                    rates[image, side].append(rate)
                    note(f"cutout: {image.name}: {side}: {rate:,.0f}/s, {peaks[image, side] / 1e6:,.0f} MB")
                    if side == "job":
                        if last:
                            bench.fetch()
                        running.delete(bench.last_job[0])
                if last:
                    bench.compare(OURS)
                    note(f"cutout: {image.name}: all pixels, places and sums agree")
        rows = []
        for image in images:
            over_cfitsio, over_astropy = AIMS[image.name.split(".")[0]]
            for side, name in SIDES:
                ours = rates[image, side]
                row = [image.name, name, shown(ours)]
                if side in OURS:
                    row += [f"{ratio(ours, rates[image, peer]):.2f}" for peer in ("cfitsio", "astropy")]
                    row += [f"{ratio(ours, rates[image, 'limit']):.0%}"]
                else:
                    row += ["", "", ""]
                aim = f"≥ {over_cfitsio}, ≥ {over_astropy}, or ≥ {OF_LIMIT:.0%}" if side == "job" else ""
                rows.append([*row, f"{peaks[image, side] / 1e6:,.0f} MB", aim])
        size = os.path.getsize(folder / "cfitsio" / "0.fits")
        table(
            f"Cutouts of 256 × 256 pixels from 10,000 × 10,000, per second ({bench.count:,} files of {size:,} bytes)",
            ["image", "by", "cutouts/s", "over CFITSIO", "over astropy", "of the limit", "peak memory", "aim"],
            rows,
        )
        rows = []
        for image in images:
            (rate, requests, sent), _ = bench.library("s3", image)
            aim = "≤ 2, ≤ 250 KB" if image.name.startswith("tiled") else ""
            rows.append(
                [image.name, number(rate), f"{requests / bench.count:.3g}", f"{sent / bench.count / 1e3:,.0f} KB", aim]
            )
        table("The batch over S3 that answers after 20 ms", ["image", "cutouts/s", "requests each", "bytes each", "aim"], rows)
        rows = []
        for image in images:
            (median, worst), _ = bench.library("latency", image)
            sync, worst_sync = bench.sync(image)
            small = image.name.startswith(("plain", "tiled"))
            first = sorted(bench.first(image) for _ in range(5))
            rows.append(
                [image.name, f"{median:.2f} ({worst:.2f})", f"{sync:.2f} ({worst_sync:.2f})", "< 5" if small else ""]
                + [f"{first[2]:.0f} ({first[-1]:.0f})", "< 100"]
            )
        table(
            "One cutout, and the first of a batch, ms (in brackets the worst of 100, of 5)",
            ["image", "library, image open", "SODA sync", "aim", "first of 1,000 listed", "aim"],
            rows,
        )
        for image in images:
            image.unlink()
        note("cutout: making a map of two HDUs, some minutes")
        data = pathlib.Path(__file__).parent / "data.py"
        subprocess.run([sys.executable, data, folder, "map", str(MAP)], check=True, stdout=sys.stderr)
        rows = []
        for name in ("map.fits", "map.fits.fz"):
            running.command("ingest", name.replace(".", ""), f"file://{folder / name}")
            size = os.path.getsize(folder / name)
            running.forget_peak()
            rate = bench.job(folder / name, name.replace(".", ""))
            rows.append([name, f"{size / 1e9:.1f} GB", number(rate), f"{running.peak() / 1e6:,.0f} MB", "≤ 512 MB"])
            running.delete(bench.last_job[0])
        table(
            f"1,000 cutouts of two HDUs from {MAP:,} × {MAP:,} pixels by a job", ["map", "size", "cutouts/s", "peak memory", "aim"], rows
        )


main()
