#!/usr/bin/env python3
"""Makes the sky image that is cut: data.py FOLDER [SIDE]   (numpy, astropy; fpack of CFITSIO)

FOLDER/plain.fits: SIDE × SIDE (10,000) float32, TAN, quarter-arcminute pixels: noise, and sources of a Gaussian beam.
FOLDER/rows.fits.fz: the same, RICE_1 in tiles of a row, quantised at a quarter of the noise.
FOLDER/tiled.fits.fz: the same in tiles of 256 × 256.
FOLDER/gzip.fits.fz: the same, GZIP_2 in tiles of a row, lossless.
FOLDER/positions.csv: RA,DEC (deg, ICRS) of 1,000 places, and the first pixel (X,Y, 1-based) of the box of 256 × 256
pixels around each, all on the image.
FOLDER/map.fits, only if SIDE of it is given as `map SIDE`: two HDUs (SCI, WGT) of SIDE × SIDE, ZEA, written in bands; and
FOLDER/map.fits.fz, RICE_1 in tiles of 256 × 256.
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


def bands(side, fill):
    """The data unit of an HDU, some rows at a time, and what fills its last block."""
    for y in range(0, side, BOX):
        yield fill(y, min(BOX, side - y)).astype(">f4").tobytes()
    yield bytes(-side * side * 4 % 2880)


def two_hdus(folder, side):
    """A map and its weights, as SPT-3G has them: sky in the middle, zeros around it."""
    random = np.random.default_rng(20260102)
    x = np.abs(np.arange(side) / side - 0.5)

    def weights(y, rows):
        return np.clip((0.45 - x) * 20, 0, 1) * np.clip((0.45 - x[y : y + rows, None]) * 20, 0, 1)

    def pixels(y, rows):
        return np.where(weights(y, rows) > 0, random.standard_normal((rows, side), dtype="float32"), 0)

    cards = header(side)
    cards["CTYPE1"], cards["CTYPE2"] = "RA---ZEA", "DEC--ZEA"
    with open(folder / "map.fits", "wb") as out:
        for name, fill, hdu in (("SCI", pixels, fits.PrimaryHDU), ("WGT", weights, fits.ImageHDU)):
            own = hdu(header=cards).header
            own["BITPIX"], own["NAXIS"] = -32, 2
            own.insert("NAXIS", ("NAXIS1", side), after=True)
            own.insert("NAXIS1", ("NAXIS2", side), after=True)
            own["EXTNAME"] = name
            out.write(own.tostring().encode())
            out.writelines(bands(side, fill))
    subprocess.run(
        ["fpack", "-r", "-q", "16", "-t", f"{BOX},{BOX}", "-O", folder / "map.fits.fz", folder / "map.fits"], check=True
    )


def main():
    folder = pathlib.Path(sys.argv[1])
    if sys.argv[2:3] == ["map"]:
        return two_hdus(folder, int(sys.argv[3]))
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
