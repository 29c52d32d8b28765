#!/usr/bin/env python3
"""Memory of the server while a job has very many cutouts: pairs.py SERVER   (SQLite; numpy, astropy)

Cutouts of 4 × 4 pixels at 6,000, 30,000 and 95,000 positions, each on five images of 1,000 × 1,000 float32: the most
resident bytes of a server that was started anew, and cutouts a second from the job's POST to COMPLETED. Everything lies on
a memory file system.
"""

import pathlib
import random
import sys
import tempfile
import time

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from server import Server
from table import note, number, table

IMAGES, SIDE = 5, 1_000
POSITIONS = (6_000, 30_000, 95_000)
# Degrees from the middle that are on the images everywhere.
REACH = 7


def write_images(folder):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [10, 10]
    wcs.wcs.crpix = [SIDE / 2 + 0.5] * 2
    wcs.wcs.cdelt = [-1 / 60, 1 / 60]
    for night in range(IMAGES):
        cards = wcs.to_header()
        cards["BAND"], cards["OBSID"] = "150GHz", str(night)
        pixels = np.random.default_rng(night).normal(size=(SIDE, SIDE)).astype("f4")
        fits.PrimaryHDU(pixels, cards).writeto(folder / f"{night}.fits")


def places(count):
    """RA,DEC,OBJID, deg."""
    generator = random.Random(1)
    rows = ["RA,DEC,OBJID"]
    for row in range(count):
        ra, dec = (10 + generator.uniform(-REACH, REACH) for _ in range(2))
        rows.append(f"{ra:.6f},{dec:.6f},{row}")
    return "\n".join(rows)


def measure(binary, home, positions):
    """The peak (bytes), and cutouts a second."""
    note(f"cutouts at {positions:,} positions on {IMAGES} images")
    with Server(binary, data=home / "data") as server:
        server.command("ingest", "nights", f"file://{home}/sky")
        parameters = {"SIZE": "4px", "POSITIONS": places(positions), "PHASE": "RUN"}
        start = time.perf_counter()
        phase = server.wait(server.create("cutout", parameters))
        seconds = time.perf_counter() - start
        if phase != "COMPLETED":
            raise SystemExit(f"the job ended {phase}")
        return server.peak(), positions * IMAGES / seconds


def main(binary):
    with tempfile.TemporaryDirectory(prefix="sidereal-bench-", dir="/dev/shm") as home:
        home = pathlib.Path(home)
        (home / "sky").mkdir()
        write_images(home / "sky")
        rows = []
        for positions in POSITIONS:
            peak, rate = measure(binary, home, positions)
            rows.append([f"{positions * IMAGES:,}", f"{peak / 1e6:.0f} MB", number(rate)])
    table("Very many cutouts", ["cutouts of a job", "most memory of the server", "cutouts/s"], rows)


main(sys.argv[1])
