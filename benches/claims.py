#!/usr/bin/env python3
"""Claim and finish of the queue from Rust beside pgbench with the same statements: claims.py QUEUE-BINARY [ROUNDS]

One PostgreSQL server with durable commits. Both sides work jobs off a table of 300,000 ready ones, filled anew before
each run, in turn; 16 clients. `single`: a claim of one job and its finish, two statements. `batch`: a claim of 50 and
one finish for all.
"""

import json
import re
import subprocess
import sys

from cluster import Cluster
from table import note, ratio, shown, table

READY = 300_000
CLIENTS = 16
OWNERS = 200
# Clients × transactions of a run: long enough to be steady, short enough to leave ready jobs.
SINGLE = 2_000
BATCH, BATCHES = 50, 200
WORKER = "lpad(:client_id::text, 32, '0')::uuid"

FILL = f"""
INSERT INTO job (id, service, owner, phase, parameters, creation_time, execution_duration, destruction, vtime, max_attempts)
SELECT (lpad(to_hex(1767225600000 + i), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid,
    'echo', 'owner' || i % {OWNERS}, 'QUEUED', '[{{"name": "SLEEP", "value": {{"inline": "0"}}}}]',
    1767225600000 + i, 3600, 1769817600000 + i, i / {OWNERS} * 1000, 3
FROM generate_series(1, {READY}) AS i
"""


def substituted(statement, values):
    """The statement with expressions for its parameters."""
    return re.sub(r"\$(\d+)", lambda m: values[int(m[1]) - 1], statement)


def scripts(statements):
    """pgbench's scripts. It knows nothing of arrays: what the library builds from rows is built in SQL."""
    services = """'["echo"]'"""
    # An entry of the finish's array, in pgbench without a colon before a word.
    one = (
        '{"id": "%s", "fence": %s, "back": false, "returned": 0, "after": 0, "phase": "COMPLETED", '
        '"kind": null, "message": null, "detail": null}'
    )
    claim = substituted(statements["claim"], [WORKER, "1", services])
    finish = substituted(statements["finish"], [f"format('[{one}]', :id::text, :fence::text)"])
    single = f"{claim} \\gset\n{finish};\n"

    claim = substituted(statements["claim"], [WORKER, str(BATCH), services])
    every = f"'[' || string_agg(format('{one}', id, fence), ',') || ']' AS finishes"
    finish = substituted(statements["finish"], [":finishes"])
    batch = f"WITH claimed AS ({claim}) SELECT {every} FROM claimed \\gset\n{finish};\n"
    return single, batch


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    run = lambda *arguments: subprocess.run(
        [binary, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    single, batch = scripts(json.loads(run("statements")))
    with Cluster() as cluster:
        run("migrate", cluster.url())

        def filled():
            cluster.psql("TRUNCATE job CASCADE", FILL, "VACUUM (ANALYZE) job", "CHECKPOINT")

        def completed(expected):
            """Nothing was skipped: as many jobs are COMPLETED as were counted, or a few more."""
            count = int(cluster.psql("SELECT count(*) FROM job WHERE phase = 'COMPLETED'"))
            if count < expected:
                raise SystemExit(f"only {count} of {expected} jobs are COMPLETED")

        rates = {name: [] for name in ("single", "single pgbench", "batch", "batch pgbench")}

        def sample(name, expected, measure):
            filled()
            rates[name].append(measure())
            completed(expected)
            note(f"queue: {name}: {rates[name][-1]:,.0f} jobs/s")

        for _ in range(rounds):
            jobs = CLIENTS * SINGLE
            sample("single pgbench", jobs, lambda: cluster.pgbench(single, CLIENTS, "-t", str(SINGLE)))
            sample("single", jobs, lambda: float(run("run", cluster.url(), CLIENTS, 1, jobs)))
            jobs = CLIENTS * BATCH * BATCHES
            sample(
                "batch pgbench",
                jobs,
                lambda: BATCH * cluster.pgbench(batch, CLIENTS, "-t", str(BATCHES)),
            )
            sample("batch", jobs, lambda: float(run("run", cluster.url(), CLIENTS, BATCH, jobs)))
        rows = []
        for name, what in (("single", "one job at a time"), ("batch", f"{BATCH} jobs at a time")):
            ours, theirs = rates[name], rates[f"{name} pgbench"]
            rows.append([what, shown(ours), shown(theirs), f"{ratio(ours, theirs):.0%}", "≥ 60 %"])
        table(
            f"Queue: claim and finish, jobs/s, {CLIENTS} clients, {READY:,} ready jobs "
            f"(PostgreSQL {cluster.version()}, fdatasync {cluster.sync_microseconds():.0f} µs)",
            ["", "Sidereal's store", "pgbench, same statements", "ratio", "target"],
            rows,
        )


main()
