#!/usr/bin/env python3
"""The peer of benches/cutout.rs: cutouts by astropy: astropy_cutouts.py IMAGE POSITIONS FOLDER COUNT

The first COUNT boxes of 256 × 256 pixels, by Cutout2D of the image's memory map, or of `.section` where it is
compressed, so that no more is decoded than has to be. The cutout of row N becomes FOLDER/N.fits with the source's
cards, without sums. Prints cutouts per second.
"""

import csv
import pathlib
import sys
import time
import warnings

import astropy.units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

warnings.simplefilter("ignore")


def main():
    image, positions, folder, count = sys.argv[1:5]
    with open(positions) as rows:
        rows = [row for row, _ in zip(csv.DictReader(rows), range(int(count)))]
    start = time.perf_counter()
    with fits.open(image, memmap=True) as hdus:
        hdu = next(hdu for hdu in hdus if hdu.header["NAXIS"] > 0)
        wcs = WCS(hdu.header)
        # Cutout2D wants an array's shape and slices, which a section has.
        data = hdu.section if isinstance(hdu, fits.CompImageHDU) else hdu.data
        for number, row in enumerate(rows):
            place = SkyCoord(float(row["RA"]) * u.deg, float(row["DEC"]) * u.deg)
            cutout = Cutout2D(data, place, (256, 256), wcs=wcs, mode="trim", copy=True)
            header = hdu.header.copy()
            header.update(cutout.wcs.to_header())
            fits.PrimaryHDU(cutout.data, header).writeto(pathlib.Path(folder) / f"{number}.fits")
    print(f"{len(rows) / (time.perf_counter() - start):.1f}")


main()
