"""Compares compressed cutouts with plain ones, by astropy and CFITSIO's funpack: `packed.py PLAIN PACKED`.

For each compressed file prints the codecs of its images, and what differs from the plain file of its name: as astropy
reads it, and as funpack makes it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
from astropy.io import fits
from astropy.wcs import WCS

plain, packed = map(pathlib.Path, sys.argv[1:])
# Two jobs made them, at two times; and CFITSIO does not keep the sums of what it packs.
OWN = {"CUTJOB", "CUTDATE", "DATE", "CHECKSUM", "DATASUM"}
# An image that is no primary any more.
PLACE = {"SIMPLE", "XTENSION", "EXTEND", "PCOUNT", "GCOUNT"}


def cards(hdu, without):
    return [(card.keyword, card.value, card.comment) for card in hdu.header.cards if card.keyword not in without]


def bits(hdu):
    return None if hdu.data is None else (hdu.data.dtype.newbyteorder("="), hdu.data.shape,
                                          hdu.data.astype(hdu.data.dtype.newbyteorder("=")).tobytes())


def differences(there, here, without):
    if len(there) != len(here):
        yield f"{len(here)} HDUs for {len(there)}"
    for number, (one, other) in enumerate(zip(there, here)):
        if bits(one) != bits(other):
            yield f"pixels of {number}"
        missing = [card for card in cards(one, without) if card not in cards(other, without)]
        more = [card for card in cards(other, without) if card not in cards(one, without)]
        if missing or more:
            yield f"cards of {number}: {missing} are {more}"
        if one.data is not None:
            corners = numpy.array([[1.0] * one.data.ndim, one.data.shape[::-1]])
            if not numpy.array_equal(WCS(one.header).wcs_pix2world(corners, 1),
                                     WCS(other.header).wcs_pix2world(corners, 1)):
                yield f"coordinates of {number}"


def opened(path):
    # As stored: scaled values are the same if the stored ones and the cards are.
    return fits.open(path, do_not_scale_image_data=True)


def images(hdus):
    return [hdu for hdu in hdus if hdu.data is not None]


def compare(path):
    with tempfile.TemporaryDirectory() as folder:
        unpacked = pathlib.Path(folder) / "unpacked.fits"
        subprocess.run(["funpack", "-O", unpacked, path], check=True, capture_output=True)
        with opened(plain / path.stem) as there, opened(path) as here, opened(unpacked) as again:
            tables = fits.open(path, disable_image_compression=True)
            codecs = [hdu.header["ZCMPTYPE"] for hdu in tables if hdu.header.get("ZIMAGE")]
            return {"file": path.name, "codecs": codecs, "size": path.stat().st_size,
                    "plain_size": (plain / path.stem).stat().st_size,
                    "astropy": list(differences(images(there), images(here), OWN | PLACE)),
                    "funpack": list(differences(there, again, OWN))}


with warnings.catch_warnings():
    warnings.simplefilter("error", fits.verify.VerifyWarning)
    print(json.dumps([compare(path) for path in sorted(packed.glob("*.fits.fz"))]))
