"""Finds an image at RA, DEC (deg) by the one URL of a SERVICE, and prints what pyvo makes of what can be had of it; cuts
pieces out of it by SODA, as the answers say that it can be asked."""

import io
import json
import sys

import requests
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from pyvo.dal import SIA2Service

service, ra, dec = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
told = {}

found = SIA2Service(service).search(pos=(ra, dec, 0.01))
record = found[0]
told["found"] = [
    [row.obs_collection, row.obs_publisher_did, row.dataproduct_type, row.access_format, row.s_region] for row in found
]
told["elsewhere"] = len(SIA2Service(service).search(pos=(ra + 90, -dec, 0.01)))
told["bounded"] = len(SIA2Service(service).search(maxrec=1))

# By the table's own descriptor, and by access_url.
links = next(found.iter_datalinks())
told["links"] = sorted(row.semantics for row in links)
told["same"] = sorted(row.semantics for row in record.getdatalink())
# Narrower terms are looked up at the IVOA.
this = next(links.bysemantics("#this", include_narrower=False))
told["this"] = [this.content_type, int(this.content_length), len(requests.get(this.access_url).content)]
preview = next(links.bysemantics("#preview", include_narrower=False))
told["preview"] = requests.get(preview.access_url).headers["content-type"]
told["services"] = sorted(row.service_def for row in links.iter_procs())
proc = links.get_first_proc()
told["inputs"] = sorted(parameter.name for parameter in proc.input_params)

# SODA, asked by pyvo with what the image's own descriptor says: the pixels are those of the whole image.
whole = fits.open(io.BytesIO(requests.get(this.access_url).content))


def same(stream):
    with fits.open(io.BytesIO(stream.read())) as cut:
        x_min, x_max, y_min, y_max = (int(n) for n in cut[0].header["CUTBOX"].strip("[]").replace(",", ":").split(":"))
        box = whole[0].data[y_min - 1:y_max, x_min - 1:x_max]
        middle = WCS(cut[0].header).world_to_pixel(SkyCoord(ra, dec, unit="deg"))
        off = [float(abs(at - (side - 1) / 2)) for at, side in zip(middle, reversed(cut[0].shape))]
        return [bool((box == cut[0].data).all()), cut[0].header["CUTPOS"].split()[0], max(off) < 1]


side = 0.003
# Of other numbers of corners than three, pyvo thinks that they are no polygon.
corners = [ra - side, dec - side, ra + side, dec - side, ra, dec + side] * units.deg
span = [ra - side, ra + side, dec - side, dec + side] * units.deg
circle = [ra, dec, side] * units.deg
told["processed"] = [
    same(record.processed(circle=circle)),
    same(record.processed(polygon=corners)),
    same(record.processed(range=span)),
    same(next(iter(links)).processed(circle=circle)),
]
# The rows of iter_datalinks are in an order of pyvo's own.
first = record.getdatalink().get_first_proc()
told["first"] = [first.service_def, same(first.process(circle=circle))]

print(json.dumps(told))
