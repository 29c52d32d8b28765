"""Writes one list of positions as astropy does, in every form that people have: `lists.py FOLDER`.

Prints, file by file, where astropy sees the positions (ICRS, deg).
"""

import gzip
import json
import pathlib
import sys

from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io.votable import tree
from astropy.table import QTable, Table

folder = pathlib.Path(sys.argv[1])
names = ["M13", "α Ori", "3C 273"]
icrs = SkyCoord([250.4226, 88.7929, 187.2779], [36.4602, 7.4071, 2.0524], unit="deg")
told = {}


def tell(name, positions, only=None):
    at = positions.icrs
    told[name] = {
        "ids": names if only is None else only,
        "positions": [[float(ra), float(dec)] for ra, dec in zip(at.ra.deg, at.dec.deg)],
    }


def table(positions, columns=("RA", "DEC")):
    lon, lat = positions.spherical.lon.deg, positions.spherical.lat.deg
    made = Table({columns[0]: lon, columns[1]: lat, "name": names, "mag": [5.8, 0.5, 12.9]})
    made[columns[0]].unit = made[columns[1]].unit = "deg"
    return made


for system, attributes, frame in [
    ("icrs", {"system": "ICRS"}, "icrs"),
    ("fk4", {"system": "eq_FK4", "equinox": "B1950"}, "fk4"),
    ("galactic", {"system": "galactic"}, "galactic"),
]:
    positions = icrs.transform_to(frame)
    for form in ["tabledata", "binary", "binary2"]:
        document = tree.VOTableFile.from_table(table(positions))
        resource = document.resources[0]
        resource.coordinate_systems.append(tree.CooSys(ID="sys", **attributes))
        for field in resource.tables[0].fields[:2]:
            field.ref = "sys"
        name = f"{system}_{form}.vot"
        document.set_all_tables_format(form)
        document.to_xml(str(folder / name))
        tell(name, positions)

plain = table(icrs, ("ra_deg", "dec_deg"))
for name, form, options in [
    ("commas.csv", "ascii.csv", {}),
    ("semicolons.csv", "ascii.csv", {"delimiter": ";"}),
    ("tabs.tsv", "ascii.tab", {}),
    ("blanks.txt", "ascii.basic", {}),
    ("below_a_comment.txt", "ascii.commented_header", {}),
    ("lines.rdb", "ascii.csv", {"delimiter": "|", "comment": "# "}),
    ("blanks.ecsv", "ascii.ecsv", {}),
    ("commas.ecsv", "ascii.ecsv", {"delimiter": ","}),
]:
    plain.write(folder / name, format=form, **options)
    tell(name, icrs)

quantities = QTable({"RAJ2000": icrs.ra, "DEJ2000": icrs.dec, "ID": names, "size": [1, 2, 3] * units.kpc})
quantities.write(folder / "quantities.ecsv", format="ascii.ecsv")
tell("quantities.ecsv", icrs)
(folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "commas.csv").read_bytes()))
tell("packed.csv.gz", icrs)
(folder / "excel.csv").write_bytes((folder / "commas.csv").read_text().encode("utf-16"))
tell("excel.csv", icrs)
print(json.dumps(told))
