"""Finds an image at RA, DEC (deg) by the one URL of a SERVICE, and prints what pyvo makes of what can be had of it."""

import json
import sys

import requests
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

print(json.dumps(told))
