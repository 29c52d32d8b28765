#!/usr/bin/env python3
"""UWS beside DaCHS and PostgreSQL itself: uws.py SERVER [ROUNDS]   (wrk, pgbench, DaCHS; as root)

Both servers keep their jobs in a PostgreSQL server of their own with durable commits, and are asked in turn: job list
(of 100 jobs), one job, creation by POST at 8 connections (wrk), and how long an echo job that does nothing takes from
its creation to COMPLETED by one client that asks every millisecond. pgbench reads and inserts a job's row in our
database at as many connections.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

from cluster import Cluster
from dachs import Dachs
from server import ENDED, Client, Server
from table import note, number, ratio, shown, table

CONNECTIONS = 8
SECONDS = 6
LISTED = 100
RUNS = {"ours": 50, "dachs": 5}
BODY = "SLEEP=0"
# What a client that knows nothing but UWS asks for.
ACCEPT = "application/xml, text/xml, text/plain"

ROW = "SELECT * FROM job WHERE id = '{id}'"
INSERT = """INSERT INTO job (id, service, owner, phase, parameters, creation_time, execution_duration, destruction, max_attempts)
VALUES (gen_random_uuid(), 'pgbench', 'pgbench', 'PENDING', '[{"name": "SLEEP", "value": {"inline": "0"}}]',
(extract(epoch from clock_timestamp()) * 1000)::bigint, 3600, 1800000000000, 3)
"""


def wrk(url, post=None):
    """Requests per second that were answered as they should be."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", f"Accept: {ACCEPT}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if post is not None:
            script.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n')
            script.write(f'wrk.body = "{post}"\n')
            script.flush()
            command += ["-s", script.name]
        said = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", said)
    if bad:
        note(f"uws: {url}: {bad[0]}")
    asked = int(re.search(r"(\d+) requests in", said)[1])
    refused = int(bad[1] or 0) if bad else 0
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]) * (asked - refused) / max(asked, 1)


def latencies(jobs, count):
    """Milliseconds from the POST that creates a job to the answer that it is COMPLETED."""
    client = Client(jobs)
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        job = client.post(jobs, {"SLEEP": "0"})
        client.post(f"{job}/phase", {"PHASE": "RUN"})
        while (phase := client.get(f"{job}/phase").strip()) not in ENDED:
            time.sleep(0.001)
        taken.append((time.perf_counter() - start) * 1e3)
        if phase != "COMPLETED":
            raise SystemExit(f"{job} is {phase}")
        client.ask("DELETE", job)
    return taken


def main():
    server = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with Cluster() as ours, Cluster() as theirs, Dachs(theirs) as dachs, Server(server, database=ours.url()) as sidereal:
        jobs = {"ours": f"{sidereal.address}/api/echo/async", "dachs": dachs.jobs}
        one = {}
        for side, url in jobs.items():
            client = Client(url)
            one[side] = [client.post(url, {"SLEEP": "0"}) for _ in range(LISTED)][0]
            listed = client.get(url).count("jobref ")
            if listed < LISTED:
                raise SystemExit(f"{url} lists {listed} jobs of {LISTED}")
        results = {}

        def sample(what, side, values):
            results.setdefault((what, side), []).extend(values)
            note(f"uws: {what}: {side}: {number(statistics.median(values))}")

        for _ in range(rounds):
            for side, url in jobs.items():
                sample("list", side, [wrk(url)])
                sample("job", side, [wrk(one[side])])
            row = ROW.format(id=uuid.UUID(one["ours"].rsplit("/", 1)[1]))
            sample("job", "pgbench", [ours.pgbench(row + ";", CONNECTIONS, "-T", str(SECONDS))])
            for side, url in jobs.items():
                sample("latency", side, latencies(url, RUNS[side]))
        # Last: the lists grow by it.
        for _ in range(rounds):
            for side, url in jobs.items():
                sample("create", side, [wrk(url, BODY)])
            sample("create", "pgbench", [ours.pgbench(INSERT + ";", CONNECTIONS, "-T", str(SECONDS))])

        rows = []
        for what, name, target in (
            ("list", f"job list GET/s ({LISTED} jobs)", ""),
            ("job", "job GET/s", "≥ 10 × DaCHS or 60 % of pgbench"),
            ("create", "create POST/s", "≥ 10 × DaCHS or 60 % of pgbench"),
            ("latency", "create → COMPLETED, ms", "≤ 1/50 of DaCHS"),
        ):
            mine, peer, limit = (results.get((what, side), []) for side in ("ours", "dachs", "pgbench"))
            against = ratio(mine, peer)
            rows.append(
                [
                    name,
                    shown(mine),
                    shown(peer),
                    f"1/{1 / against:.0f}" if what == "latency" else f"{against:.1f} ×",
                    shown(limit) if limit else "",
                    f"{ratio(mine, limit):.0%}" if limit else "",
                    target,
                ]
            )
        table(
            f"UWS over PostgreSQL {ours.version()}, {CONNECTIONS} connections "
            f"(DaCHS {dachs.version()}, fdatasync {ours.sync_microseconds():.0f} µs)",
            ["", "Sidereal", "DaCHS", "Sidereal/DaCHS", "pgbench, one row", "Sidereal/pgbench", "target"],
            rows,
        )


main()
