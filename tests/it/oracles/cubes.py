"""Cubes made by astropy, and the planes of them that astropy chooses.

`cubes.py make FOLDER` writes them to FOLDER/sky, and to FOLDER/cases.json what is asked for of each.
`cubes.py compare FOLDER CUTOUTS` holds CUTOUTS/{case}.fits (none where no plane is wanted) against the planes whose
wavelengths, times and polarization states, by astropy, are asked for.
"""

import json
import pathlib
import sys
import warnings

import numpy
from astropy import units
from astropy.coordinates import SpectralCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

LINE = 1.420405751770e9
STATES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -3: "RL", -4: "LR", -5: "XX", -6: "YY", -7: "XY", -8: "YX"}
PLACE = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 8.0, "CRPIX2": 6.0,
         "CDELT1": -0.01, "CDELT2": 0.01}
# Planes of one axis: its cards, how many.
AXES = {
    "freq": ({"CTYPE": "FREQ", "CUNIT": "GHz", "CRVAL": 150.0, "CRPIX": 3.0, "CDELT": 2.5}, 7),
    "falling": ({"CTYPE": "FREQ", "CRVAL": 1.5e11, "CRPIX": 1.0, "CDELT": -1e9}, 9),
    "wave": ({"CTYPE": "WAVE", "CUNIT": "um", "CRVAL": 2.0, "CRPIX": 1.0, "CDELT": 0.05}, 8),
    "air": ({"CTYPE": "AWAV", "CUNIT": "nm", "CRVAL": 500.0, "CRPIX": 1.0, "CDELT": 0.1}, 12),
    "grid": ({"CTYPE": "WAVE-LOG", "CUNIT": "nm", "CRVAL": 400.0, "CRPIX": 1.0, "CDELT": 4.0}, 10),
    # wcslib has the electronvolt of 1986.
    "energy": ({"CTYPE": "ENER", "CUNIT": "J", "CRVAL": 3.2e-19, "CRPIX": 1.0, "CDELT": 1.6e-20}, 6),
    "radio": ({"CTYPE": "VRAD", "CUNIT": "km/s", "CRVAL": 1000.0, "CRPIX": 2.0, "CDELT": 50.0, "RESTFRQ": LINE}, 8),
    "optical": ({"CTYPE": "VOPT-F2W", "CUNIT": "m/s", "CRVAL": 1e6, "CRPIX": 4.0, "CDELT": 1e5, "RESTFRQ": LINE}, 8),
    "redshift": ({"CTYPE": "ZOPT", "CRVAL": 0.1, "CRPIX": 1.0, "CDELT": 0.01, "RESTWAV": 6.5628e-7}, 6),
    "velocity": ({"CTYPE": "VELO", "CUNIT": "km/s", "CRVAL": 3e4, "CRPIX": 1.0, "CDELT": 500.0, "RESTFRQ": LINE}, 6),
    "utc": ({"CTYPE": "TIME", "CUNIT": "s", "CRVAL": 100.0, "CRPIX": 1.0, "CDELT": 60.0, "MJDREF": 58849.0,
             "TIMESYS": "UTC"}, 10),
    "tai": ({"CTYPE": "TAI", "CUNIT": "s", "CRVAL": 432000.0, "CRPIX": 1.0, "CDELT": 86.4, "MJDREF": 58000.0}, 10),
    "tt": ({"CTYPE": "TIME", "CRVAL": 0.0, "CRPIX": 1.0, "CDELT": 20.0, "MJDREFI": 57754, "MJDREFF": 0.01,
            "TIMESYS": "TT", "TIMEUNIT": "s"}, 30),
    "stokes": ({"CTYPE": "STOKES", "CRVAL": 1.0, "CRPIX": 1.0, "CDELT": 1.0}, 4),
    "feeds": ({"CTYPE": "STOKES", "CRVAL": -5.0, "CRPIX": 1.0, "CDELT": -1.0}, 4),
}


def header_of(names, celestial_last):
    header = fits.Header()
    offset = len(names) if celestial_last else 0
    for key, value in PLACE.items():
        header[f"{key[:-1]}{int(key[-1]) + offset}"] = value
    for axis, name in enumerate(names, 1 if celestial_last else 3):
        for key, value in AXES[name][0].items():
            header[f"{key}{axis}" if key in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT") else key] = value
    return header


def shape_of(names, celestial_last):
    planes = [AXES[name][1] for name in names]
    sides = [15, 11]
    return tuple(reversed(planes + sides if celestial_last else sides + planes))


def values(wcs, name, pixels):
    """Wavelengths (m), times (MJD, UTC) or states at pixels of an axis, from 0."""
    one = wcs.sub([next(axis + 1 for axis in range(wcs.naxis) if wcs.wcs.ctype[axis] == AXES[name][0]["CTYPE"])])
    if name in ("stokes", "feeds"):
        return [STATES[round(float(code))] for code in one.all_pix2world(pixels, 0)[0]]
    world = one.pixel_to_world(pixels)
    if isinstance(world, Time):
        return world.utc.mjd
    if name == "air":
        # astropy takes wavelengths in air as they are; this is wcslib's index of air.
        squared = world.to_value("m") ** -2.0
        return world.to_value("m") * (1.000064328 + 2.554e8 / (0.41e14 - squared) + 294.981e8 / (1.46e14 - squared))
    if name == "redshift":
        # A plain number.
        return 6.5628e-7 * (1 + numpy.asarray(one.all_pix2world(pixels, 0)[0]))
    return SpectralCoord(world).to(units.m, equivalencies=units.spectral()).value


def make(folder):
    sky = folder / "sky"
    sky.mkdir()
    noise = numpy.random.default_rng(6)
    cases = []
    cubes = [((name,), last) for name in AXES for last in (False, name in ("freq", "tt"))]
    cubes += [(("freq", "stokes"), False), (("utc", "feeds"), False), (("stokes", "wave"), True)]
    for names, last in dict.fromkeys(cubes):
        header, shape = header_of(names, last), shape_of(names, last)
        image = f"{'_'.join(names)}{'_first' if last else ''}"
        pixels = noise.integers(0, 30_000, shape).astype(">i2")
        fits.PrimaryHDU(pixels, header).writeto(sky / f"{image}.fits")
        tile = (1,) * (len(shape) - 2) + shape[-2:]
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, compression_type="GZIP_2", tile_shape=tile)]
                     ).writeto(sky / f"{image}_packed.fits")
        wcs = WCS(header)
        asked = []
        for name in names:
            count = AXES[name][1]
            if name in ("stokes", "feeds"):
                states = values(wcs, name, numpy.arange(count))
                asked.append([("POL", [states[1]]), ("POL", [states[3], states[1]]), ("POL", ["I", "XX"])])
                continue
            # Within planes; from the middle of one to the end; on edges of planes, a value alone; beyond.
            at = values(wcs, name, numpy.array([1.1, 1.3, 2.0, count - 0.6, 0.5, 3.5, count + 2.0, count + 3.0]))
            at = [float(value) for value in at]
            key = "TIME" if AXES[name][0]["CTYPE"] in ("TIME", "TAI") else "BAND"
            pairs = [(at[0], at[1]), (at[2], at[3]), (at[4], at[5]), (at[1], at[1]), (at[6], at[7])]
            asked.append([(key, [f"{min(pair)!r} {max(pair)!r}"]) for pair in pairs]
                         + [(key, [f"-Inf {at[2]!r}"]), (key, [f"{at[2]!r} +Inf"])])
        for n in range(max(map(len, asked))):
            wanted = [list(one[n % len(one)]) for one in asked]
            for packed in ("", "_packed"):
                cases.append({"image": f"{image}{packed}", "names": names, "asked": wanted,
                              "circle": n % 2 == 1, "planes": [expected(wcs, name, *one) for name, one in zip(names, wanted)]})
    (folder / "cases.json").write_text(json.dumps(cases))
    return cases


def expected(wcs, name, key, texts):
    """The planes (from 0, half open) that astropy says are of what is asked for."""
    count = AXES[name][1]
    if key == "POL":
        states = values(wcs, name, numpy.arange(count))
        found = [plane for plane, state in enumerate(states) if state in texts]
    else:
        least, most = (float(text) for text in texts[0].split())
        # Not of those that an edge only touches.
        edge = 0.5 if least == most else 0.5 - 1e-5
        ends = [values(wcs, name, numpy.arange(count) + side) for side in (-edge, edge)]
        lows, highs = numpy.minimum(*ends), numpy.maximum(*ends)
        found = [plane for plane in range(count) if lows[plane] <= most and highs[plane] >= least]
    return [found[0], found[-1] + 1] if found else None


def compare(folder, cutouts):
    faults, planes = [], 0
    for number, case in enumerate(json.loads((folder / "cases.json").read_text())):
        path = cutouts / f"{number}.fits"
        what = f"{number} {case['image']} {case['asked']}"
        if None in case["planes"]:
            if path.exists():
                faults.append(f"{what}: there is a cutout, astropy finds no such plane")
            continue
        if not path.exists():
            faults.append(f"{what}: there is no cutout, astropy finds {case['planes']}")
            continue
        with fits.open(folder / "sky" / f"{case['image']}.fits") as there, fits.open(path, checksum=True) as here:
            source, cut = there[-1], here[-1]
            wcs = WCS(source.header)
            first = next(axis for axis in range(wcs.naxis) if wcs.wcs.ctype[axis].startswith("RA"))
            others = [axis for axis in range(wcs.naxis) if axis not in (first, first + 1)]
            x_min, x_max, y_min, y_max = (int(n) for n in cut.header["CUTBOX"].strip("[]").replace(",", ":").split(":"))
            ranges = dict(zip(others, case["planes"])) | {first: [x_min - 1, x_max], first + 1: [y_min - 1, y_max]}
            box = tuple(slice(*ranges[axis]) for axis in reversed(range(wcs.naxis)))
            planes += cut.data.size // (cut.data.shape[-1 - first] * cut.data.shape[-2 - first])
            if not numpy.array_equal(source.data[box], cut.data):
                faults.append(f"{what}: its pixels {cut.data.shape} are not those of {case['planes']}")
                continue
            origin = numpy.array([[ranges[axis][0] for axis in range(wcs.naxis)]], float)
            moved = WCS(cut.header).wcs_pix2world(origin * 0 + 1, 0) - wcs.wcs_pix2world(origin + 1, 0)
            scale = abs(wcs.wcs_pix2world(origin + 2, 0) - wcs.wcs_pix2world(origin + 1, 0))
            if not (abs(moved) <= 1e-6 * scale).all():
                faults.append(f"{what}: its planes have moved by {moved} of {scale}")
    return {"faults": faults[:30], "planes": planes}


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", fits.verify.VerifyWarning)
    what, folder, *rest = sys.argv[1:]
    folder = pathlib.Path(folder)
    print(json.dumps(make(folder) if what == "make" else compare(folder, pathlib.Path(rest[0]))))
