"""Maps as SPT-3G has them, made by astropy and packed by CFITSIO: `spt3g.py FOLDER`.

ZEA about RA 0, Dec -57.5, maps SCI with weights WGT, of two observations in three bands and two types, and a yearly
coadd.
"""

import json
import pathlib
import subprocess
import sys

import numpy
from astropy.io import fits

SIDE, ARCMIN = 240, 0.25
noise = numpy.random.default_rng(57)


def hdu(kind, cards):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"], header["CUNIT1"], header["CUNIT2"] = "RA---ZEA", "DEC--ZEA", "deg", "deg"
    header["CRVAL1"], header["CRVAL2"], header["CRPIX1"], header["CRPIX2"] = 0.0, -57.5, SIDE / 2 + 0.5, SIDE / 2 + 0.5
    header["CDELT1"], header["CDELT2"] = -ARCMIN / 60, ARCMIN / 60
    header["LONPOLE"], header["RADESYS"] = 180.0, "ICRS"
    header["BUNIT"] = "mJy" if kind == "SCI" else "1/mJy2"
    header.update(cards)
    # The field ends before the map does.
    x = abs(numpy.arange(SIDE) - SIDE / 2 + 0.5)
    weight = numpy.where(x < 100, 0.04, 0.0)[None, :] * numpy.where(x < 110, 1.0, 0.0)[:, None]
    pixels = weight if kind == "WGT" else noise.normal(0, 5, (SIDE, SIDE)) * (weight > 0)
    return fits.ImageHDU(pixels.astype(">f4"), header, name=kind)


def write(folder, name, **cards):
    plain = folder.parent / f"{name}.fits"
    fits.HDUList([fits.PrimaryHDU(), hdu("SCI", cards), hdu("WGT", cards)]).writeto(plain)
    subprocess.run(["fpack", "-r", "-q", "16", "-t", "64,64", "-O", str(folder / f"{name}.fits.fz"), str(plain)],
                   check=True, stdin=subprocess.DEVNULL)


folder = pathlib.Path(sys.argv[1])
folder.mkdir()
for band in ("90GHz", "150GHz", "220GHz"):
    for obs, day in (("84001234", "2020-03-21"), ("84005678", "2020-05-02")):
        for kind, short in (("passthrough", "psth"), ("filtered", "fltd")):
            write(folder, f"{band}_{obs}_{short}", **{
                "BAND": band, "OBS-ID": obs, "DATE-BEG": f"{day}T01:00:00", "DATE-END": f"{day}T03:00:00",
                "OBJECT": "ra0hdec-59.75", "FILETYPE": kind})
write(folder, "150GHz_yearly_winter_2020_fltd", **{
    "BAND": "150GHz", "DATE-BEG": "2020-03-21T00:00:00", "DATE-END": "2020-11-30T00:00:00", "OBJECT": "winter",
    "FILETYPE": "filtered"})
print(json.dumps(len(list(folder.iterdir()))))
