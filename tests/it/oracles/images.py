"""Makes images of every kind around RA 250, Dec 36: `images.py FOLDER`. Prints their names.

All are 120 x 100 pixels of 1 arcsec (TAN); each says its band, observation and dates. Their weights are 0 in the first
columns, and in `zero.fits` everywhere in the middle; `hole.fits` has no value in the middle.
"""

import json
import pathlib
import sys

import numpy
from astropy.io import fits

folder = pathlib.Path(sys.argv[1])
random = numpy.random.default_rng(7)
NX, NY = 120, 100
COMPRESSED = {"RICE_1": {"quantize_level": 16.0, "tile_shape": (50, 60)}, "GZIP_2": {"quantize_level": 0.0}}
made = []


def header(band="150GHz"):
    day = len(made) + 1
    cards = fits.Header()
    for keyword, value in {"BAND": band, "OBS-ID": f"obs{day}", "OBJECT": "ra250h-36", "BUNIT": "mJy",
                           "DATE-BEG": f"2020-03-{day:02}T01:00:00.000", "DATE-END": f"2020-03-{day:02}T03:30:00.000",
                           "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
                           "CRPIX1": 60.5, "CRPIX2": 50.5, "CRVAL1": 250.0, "CRVAL2": 36.0, "CDELT1": -1 / 3600,
                           "CDELT2": 1 / 3600, "RADESYS": "ICRS"}.items():
        cards[keyword] = value
    cards.add_comment("Made for a test.")
    return cards


def reals(dtype=numpy.float32, shape=(NY, NX)):
    return random.normal(10, 3, shape).astype(dtype)


def weights():
    values = random.uniform(1, 2, (NY, NX)).astype(numpy.float32)
    values[:, :3] = 0
    return values


def named(hdu, name):
    hdu.name = name
    return hdu


def save(name, *hdus):
    fits.HDUList(list(hdus)).writeto(folder / name)
    made.append(name)


def mef(name, science, weight, image=fits.ImageHDU, **how):
    cards = header("90GHz")
    save(name, fits.PrimaryHDU(header=fits.Header([("ORIGIN", "test", "where it was made")])),
         named(image(science, cards, **how), "SCI"), named(image(weight, cards, **how), "WGT"))


save("plain.fits", fits.PrimaryHDU(reals(), header()))
save("double.fits", fits.PrimaryHDU(reals(numpy.float64), header()))
save("bytes.fits", fits.PrimaryHDU(random.integers(0, 256, (NY, NX)).astype(numpy.uint8), header()))
save("unsigned.fits", fits.PrimaryHDU(random.integers(0, 65536, (NY, NX)).astype(numpy.uint16), header()))
save("long.fits", fits.PrimaryHDU(random.integers(-2**62, 2**62, (NY, NX)).astype(numpy.int64), header()))
cards = header()
stored = random.integers(-3000, 3000, (NY, NX)).astype(numpy.int16)
stored[40, :] = -32768
scaled = fits.PrimaryHDU(stored, cards)
scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.25, 100.0, -32768
save("scaled.fits", scaled)
cards = header()
for keyword, value in {"CTYPE3": "FREQ", "CRPIX3": 1.0, "CRVAL3": 1.5e11, "CDELT3": 1e9, "CUNIT3": "Hz"}.items():
    cards[keyword] = value
save("cube.fits", fits.PrimaryHDU(random.integers(-10**9, 10**9, (3, NY, NX)).astype(numpy.int32), cards))
mef("weights.fits", reals(), weights())
zero = weights()
zero[45:55, 55:65] = 0
mef("zero.fits", reals(), zero)
hole = reals()
hole[48:52, 58:62] = numpy.nan
mef("hole.fits", hole, weights())
for codec, how in COMPRESSED.items():
    mef(f"{codec.lower()}.fits.fz", reals(), weights(), fits.CompImageHDU, compression_type=codec, **how)
print(json.dumps(made))
