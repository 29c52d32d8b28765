"""Drives a job of SERVICE (its URL) with pyvo, as an astronomer's script would, and prints what pyvo made of it."""

import datetime
import io
import json
import sys

import requests
from pyvo.dal import AsyncTAPJob
from pyvo.dal.exceptions import DALServiceError
from pyvo.io.uws import parse_job, parse_job_list

service = sys.argv[1]
session = requests.Session()
told = {}


def gone(url):
    return session.get(url).status_code


# Made as a TAP query is, which echo takes for parameters like others.
job = AsyncTAPJob.create(service, "SELECT 1", maxrec=5, session=session)
told["created"] = [job.phase, job.owner, job.uws_version, job.query, job.quote]
told["id"] = job.url.endswith("/" + job.job_id)

job.execution_duration = 77
told["duration"] = job.execution_duration.sec
# Within what a job can be asked to be kept.
ahead = datetime.date.today() + datetime.timedelta(days=100)
job.destruction = datetime.datetime.combine(ahead, datetime.time(9, 15, 35, 123456))
told["destruction"] = job.destruction.isot == f"{ahead}T09:15:35.123"
job.query = "SELECT 2"
told["query"] = job.query
job.upload(positions=io.BytesIO(b"RA,DEC\n1,2\n"))
told["upload"] = {p.id_: [p.byreference, p.content] for p in job.job.parameters}["POSITIONS"]
told["uploaded"] = session.get(told["upload"][1]).text
session.post(job.url + "/parameters", data={"SLEEP": "1"}).raise_for_status()

job.run()
job.wait()
told["ended"] = job.phase
job.raise_if_error()
told["result"] = session.get(job.result_uri).json()
told["results"] = [[r.id_, r.mimetype, r.size] for r in job.results]
told["listed"] = [ref.jobid == job.job_id and ref.phase for ref in parse_job_list(io.BytesIO(session.get(service + "/async").content))]
told["progress"] = sorted(job.job.jobinfo.keys()) if job.job.jobinfo else []

url = job.url
job.delete()
told["deleted"] = gone(url)

# One made by hand, aborted while it runs.
response = session.post(service + "/async", data={"SLEEP": "3000", "PHASE": "RUN"})
job = AsyncTAPJob(response.url, session=session)
told["redirected"] = response.history[0].status_code
# pyvo's own wait asks for a change of phase, which would be the next one.
while job.phase == "QUEUED":
    session.get(job.url, params={"WAIT": 10, "PHASE": "QUEUED"})
told["running"] = job.phase
job.abort()
told["aborted"] = job.phase
job.delete()

# One that fails.
response = session.post(service + "/async", data={"FAIL": "fatal", "PHASE": "RUN"})
with AsyncTAPJob(response.url, session=session) as job:
    job.wait()
    told["failed"] = [job.phase, job.job.errorsummary.type_, job.job.errorsummary.has_detail, bool(str(job.job.errorsummary.message.content))]
told["left"] = gone(response.url)

# One that is not there.
try:
    AsyncTAPJob(url, session=session)
except DALServiceError as error:
    told["missing"] = error.code

# The documents as they come.
response = session.post(service + "/async", data={"RUNID": "a & b"})
parsed = parse_job(io.BytesIO(response.content))
told["parsed"] = [parsed.phase, parsed.runid, parsed.version]
print(json.dumps(told))
