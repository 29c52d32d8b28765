"""How many results of the job at a URL pyvo sees in its document."""
import json
import sys

import pyvo

print(json.dumps(len(pyvo.dal.AsyncTAPJob(sys.argv[1]).job.results)))
