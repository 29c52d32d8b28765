#!/usr/bin/env python3
"""Makes the sky image that is cut: data.py FOLDER [SIDE]   (numpy, astropy; fpack of CFITSIO)

FOLDER/plain.fits: SIDE × SIDE (10,000) float32, TAN, quarter-arcminute pixels: noise, and sources of a Gaussian beam.
FOLDER/rows.fits.fz: the same, RICE_1 in tiles of a row, quantised at a quarter of the noise.
FOLDER/tiled.fits.fz: the same in tiles of 256 × 256.
FOLDER/gzip.fits.fz: the same, GZIP_2 in tiles of a row, lossless.
FOLDER/positions.csv: RA,DEC (deg, ICRS) of 1,000 places, and the first pixel (X,Y, 1-based) of the box of 256 × 256
pixels around each, all on the image.
"""

import pathlib
import subprocess
import sys

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

BOX, POSITIONS = 256, 1_000
PIXEL = 0.25 / 60


def header(side):
    cards = fits.Header()
    for axis, ctype, value, step in ((1, "RA---TAN", 0.0, -PIXEL), (2, "DEC--TAN", -57.5, PIXEL)):
        cards[f"CTYPE{axis}"] = ctype
        cards[f"CUNIT{axis}"] = "deg"
        cards[f"CRVAL{axis}"] = value
        cards[f"CRPIX{axis}"] = side / 2 + 0.5
        cards[f"CDELT{axis}"] = step
    cards["RADESYS"] = "ICRS"
    cards["BUNIT"] = ("mJy", "of the pixels")
    cards["BAND"] = "150GHz"
    cards["OBJECT"] = "synthetic"
    cards["DATE-BEG"] = "2026-01-01T00:00:00"
    for number in range(20):
        cards.add_history(f"step {number + 1} of a pipeline that leaves its trace, as they do")
    return cards


def image(side, random):
    pixels = random.standard_normal((side, side), dtype="float32")
    reach = 8
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    beam = np.exp(-(x**2 + y**2) / 8).astype("float32")
    for x, y in random.integers(reach, side - reach, (side * side // 5_000, 2)):
        pixels[y - reach : y + reach + 1, x - reach : x + reach + 1] += beam * random.exponential(20)
    return pixels


def main():
    folder = pathlib.Path(sys.argv[1])
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260101)
    cards = header(side)
    fits.PrimaryHDU(image(side, random), cards).writeto(folder / "plain.fits", overwrite=True)
    rice = ["-r", "-q", "4"]
    for name, options in (
        ("rows", rice),
        ("tiled", [*rice, "-t", f"{BOX},{BOX}"]),
        ("gzip", ["-g2", "-q", "0"]),
    ):
        packed = folder / f"{name}.fits.fz"
        packed.unlink(missing_ok=True)
        subprocess.run(["fpack", *options, "-O", packed, folder / "plain.fits"], check=True)

    # Off the borders of pixels, so that everyone rounds alike.
    first = random.integers(1, side - BOX, (POSITIONS, 2))
    middle = first + BOX / 2 - 0.5 + random.uniform(-0.3, 0.3, (POSITIONS, 2))
    sky = WCS(cards).wcs_pix2world(middle, 1)
    with open(folder / "positions.csv", "w") as out:
        out.write("RA,DEC,X,Y\n")
        for (ra, dec), (x, y) in zip(sky, first):
            out.write(f"{ra:.9f},{dec:.9f},{x},{y}\n")


main()
