#!/usr/bin/env python3
"""Memory of the server, idle and with 5,000 clients in WAIT: memory.py SERVER   (PostgreSQL)

The clients wait on 500 jobs, ten on each. While they wait: resident memory, the server's connections to the database
and how many of them are busy, and how long another client's GET of a job takes. Then the jobs are run, and every
client has to get its answer.
"""

import asyncio
import resource
import statistics
import sys
import time

from cluster import Cluster
from server import Client, Server
from table import note, number, table

JOBS, CLIENTS_OF_JOB = 500, 10
CLIENTS = JOBS * CLIENTS_OF_JOB
# The longest that the server lets anyone wait.
WAIT = 55
# After its start a server is left alone for so long, seconds.
SETTLE = 5

CONNECTIONS = (
    "SELECT count(*), count(*) FILTER (WHERE state <> 'idle' AND query NOT LIKE 'LISTEN%') "
    "FROM pg_stat_activity WHERE application_name LIKE 'sidereal%'"
)


def raise_limit():
    """A file for each client, here and in the server."""
    wanted = 3 * CLIENTS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        hard = wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if soft < wanted else soft, hard))


async def wait_for(host, port, path, asked):
    """The answer that shows the job in another phase; asks again if the server's longest wait is over before."""
    request = f"GET {path}?WAIT={WAIT} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    while True:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request.encode())
        await writer.drain()
        asked()
        answer = await reader.read()
        writer.close()
        if b">PENDING<" not in answer:
            return answer


async def crowd(server, jobs, measure):
    """All clients, and `measure()` while they wait; gives their answers and the seconds until all had them."""
    host, port = server.address.split("//")[1].split(":")
    paths = [job.split(f":{port}")[1] for job in jobs] * CLIENTS_OF_JOB
    # The listener's backlog is short: not all at once.
    gate = asyncio.Semaphore(200)
    asking = []

    async def one(path):
        async with gate:
            asked = asyncio.Event()
            task = asyncio.create_task(wait_for(host, int(port), path, asked.set))
            await asked.wait()
        asking.append(path)
        return await task

    tasks = [asyncio.create_task(one(path)) for path in paths]
    while len(asking) < CLIENTS:
        await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE)
    if early := sum(task.done() for task in tasks):
        raise SystemExit(f"{early} clients did not wait")
    measured = await asyncio.to_thread(measure)
    start = time.perf_counter()
    client = Client(server.address)
    await asyncio.to_thread(lambda: [client.post(f"{job}/phase", {"PHASE": "RUN"}) for job in jobs])
    answers = await asyncio.gather(*tasks)
    return measured, answers, time.perf_counter() - start


def main():
    raise_limit()
    rows = []
    with Server(sys.argv[1]) as server:
        time.sleep(SETTLE)
        rows.append(["resident, idle, SQLite", f"{server.memory() / 1e6:.0f} MB", "< 60 MB"])
    with Cluster() as cluster, Server(sys.argv[1], database=cluster.url()) as server:
        time.sleep(SETTLE)
        rows.append(["resident, idle, PostgreSQL", f"{server.memory() / 1e6:.0f} MB", "< 60 MB"])
        idle = cluster.psql(CONNECTIONS).split("|")
        rows.append(["connections to the database, idle", idle[0], ""])
        jobs = [server.create("echo", {"SLEEP": "0"}) for _ in range(JOBS)]

        def measure():
            samples = [cluster.psql(CONNECTIONS).split("|") for _ in range(20)]
            client = Client(server.address)
            client.get(jobs[0])
            taken = []
            for job in jobs[:100]:
                start = time.perf_counter()
                client.get(job)
                taken.append((time.perf_counter() - start) * 1e3)
            return samples, taken, server.memory()

        note(f"memory: {CLIENTS:,} clients")
        (samples, taken, resident), answers, ended = asyncio.run(crowd(server, jobs, measure))
        answered = sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        busy = [int(active) for _, active in samples]
        rows += [
            [f"resident, {CLIENTS:,} clients in WAIT", f"{resident / 1e6:.0f} MB", ""],
            ["connections to the database then", max(samples, key=lambda s: int(s[0]))[0], "the pool's, 16, and a listener"],
            ["busy ones of them, 20 looks, median", number(statistics.median(busy)) if any(busy) else "0", "0"],
            ["GET of a job then, ms, median", number(statistics.median(taken)), "answered"],
            ["clients that saw their job go on", f"{answered:,} of {CLIENTS:,} in {ended:.1f} s", "all"],
        ]
        table(f"Memory and waiting (PostgreSQL {cluster.version()})", ["", "measured", "target"], rows)


main()
