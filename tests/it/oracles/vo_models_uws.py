"""Reads the job list at LIST and every job in it with vo-models, which is strict, and prints what it found."""

import json
import sys
from typing import Optional

import requests
from vo_models.uws import Jobs, JobSummary
from vo_models.uws.models import MultiValuedParameter, Parameter, Parameters


class Echo(Parameters):
    sleep: Optional[Parameter] = Parameter(id="SLEEP")
    fail: Optional[Parameter] = Parameter(id="FAIL")
    x: Optional[MultiValuedParameter] = Parameter(id="X")


jobs = Jobs.from_xml(requests.get(sys.argv[1]).content)
told = {"version": jobs.version, "jobs": []}
for ref in jobs.jobref or []:
    job = JobSummary[Echo].from_xml(requests.get(ref.href).content)
    told["jobs"].append({
        "id": ref.job_id == job.job_id,
        "phase": [ref.phase, job.phase],
        "run_id": [ref.run_id, job.run_id],
        "owner": [ref.owner_id, job.owner_id],
        "created": ref.creation_time == job.creation_time,
        "version": job.version,
        "started": job.start_time is not None,
        "duration": job.execution_duration,
        "results": [[result.id, result.mime_type, result.size] for result in job.results.results or []],
        "error": job.error_summary and [job.error_summary.type, job.error_summary.has_detail, bool(job.error_summary.message)],
    })
print(json.dumps(told))
