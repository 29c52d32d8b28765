"""Compares light curves with the images that they are of, by astropy: `lightcurves.py IMAGES RESULTS`.

For each row of each table prints what astropy makes of it beside what astropy reads of the image at the position.
"""

import json
import math
import pathlib
import sys
import warnings

import numpy
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS

images, results = map(pathlib.Path, sys.argv[1:])


def plain(value):
    """What astropy has for nothing is none."""
    if numpy.ma.is_masked(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if value == "" or isinstance(value, float) and math.isnan(value) else value


def same(one, other):
    # Two ways to a time round it differently: a microsecond is a hundred times more.
    return one == other or None not in (one, other) and isinstance(one, float) and (
        float(other) == one or math.isclose(one, other, rel_tol=0, abs_tol=1e-11))


def wanted(row, position):
    """What the image has, and where."""
    with fits.open(images / row["image"]) as hdus:
        science = next(hdu for hdu in hdus if hdu.data is not None and hdu.name != "WGT")
        cards = hdus[0].header + science.header
        begin, end = (Time(cards[keyword], scale="utc").mjd for keyword in ("DATE-BEG", "DATE-END"))
        x, y = (round(float(at)) for at in WCS(science.header).celestial.wcs_world2pix(*position, 0))
        told = {"mjd": (begin + end) / 2, "mjd_beg": begin, "mjd_end": end, "band": cards["BAND"], "obs": cards["OBS-ID"]}
        data = science.data[(0,) * (science.data.ndim - 2)]
        if not (0 <= x < data.shape[1] and 0 <= y < data.shape[0]):
            return told | {"value": None, "weight": None, "x": None, "y": None}
        weight = hdus["WGT"].data[y, x] if "WGT" in hdus else numpy.nan
        return told | {"value": plain(data[y, x]), "weight": plain(weight), "x": x + 1, "y": y + 1}


def compare(path):
    with fits.open(path, checksum=True) as hdus:
        sums = [hdu.verify_checksum() + hdu.verify_datasum() for hdu in hdus]
        cards = dict(hdus["LIGHTCURVE"].header)
    table, text = Table.read(path, hdu="LIGHTCURVE"), Table.read(path.with_suffix(".csv"), format="ascii.csv")
    units = {column.name: str(column.unit) for column in table.itercols() if column.unit}
    times = Table.read(path, hdu="LIGHTCURVE", astropy_native=True)["mjd"]
    rows = []
    for row, written in zip(table, text, strict=True):
        row = {name: plain(row[name]) for name in table.colnames}
        want = wanted(row, (cards["RA"], cards["DEC"]))
        rows.append({"row": row, "differs": [name for name in want if not same(row[name], want[name])], "want": want,
                     "differs_in_csv": [name for name in row if row[name] != plain(written[name])]})
    return {"file": path.name, "sums": sums, "object": cards["OBJECT"], "timesys": cards["TIMESYS"],
            "scale": times.scale, "is_mjd": bool((abs(times.mjd - table["mjd"]) < 1e-11).all()),
            "columns": table.colnames == text.colnames, "units": units, "rows": rows}


with warnings.catch_warnings():
    warnings.simplefilter("error", fits.verify.VerifyWarning)
    print(json.dumps([compare(path) for path in sorted(results.glob("*_lightcurve.fits"))]))
