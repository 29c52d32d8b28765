"""Compares cutouts with the images that they were cut from, by astropy: `cutouts.py IMAGES MANIFEST CUTOUTS`.

For each row of the manifest that is ok, prints whether the pixels of the box are the source's, how far the sky positions
of its corners are from the source's (deg), whether the sums verify, and which cards of the source are missing.
"""

import json
import pathlib
import sys
import warnings

import numpy
from astropy.io import fits
from astropy.wcs import WCS

images, manifest, cutouts = map(pathlib.Path, sys.argv[1:])
# What a cut must change, and what compression brings.
FREE = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "EXTEND", "CRPIX1", "CRPIX2",
        "CHECKSUM", "DATASUM", "DATE", "EXTNAME", "BLANK", "COMMENT", "HISTORY", ""}


def image_of(hdus):
    return next(hdu for hdu in hdus if hdu.header.get("NAXIS") == 2)


def compare(row):
    with fits.open(images / row["image"]) as there, fits.open(cutouts / row["file"], checksum=True) as here:
        source, cut = image_of(there), image_of(here)
        x, y = row["x_min"] - 1, row["y_min"] - 1
        box = source.data[y:row["y_max"], x:row["x_max"]]
        ny, nx = cut.data.shape
        corners = numpy.array([[1, 1], [nx, 1], [nx, ny], [1, ny]], float)
        off = WCS(cut.header).wcs_pix2world(corners, 1) - WCS(source.header).wcs_pix2world(corners + [x, y], 1)
        missing = [card.keyword for card in source.header.cards if card.keyword not in FREE
                   and (cut.header.get(card.keyword) != card.value or cut.header.comments[card.keyword] != card.comment)]
        return {"file": row["file"], "equal": bool(numpy.array_equal(box, cut.data)), "dtype": cut.data.dtype.str,
                "off": float(abs(off).max()), "sums": [hdu.verify_checksum() + hdu.verify_datasum() for hdu in here],
                "missing": missing}


with warnings.catch_warnings():
    warnings.simplefilter("error", fits.verify.VerifyWarning)
    rows = [row for row in json.loads(manifest.read_text())["rows"] if row["status"] == "ok"]
    print(json.dumps([compare(row) for row in rows]))
