"""docs/operating.md: its commands, run as they stand against a real server on PostgreSQL."""

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request

import pytest

from chart import ROOT, of_kind, render
from test_server import BINARY, free_ports, get

POSTGRES = os.environ.get("SIDEREAL_TEST_POSTGRES")


def blocks(document, chapter):
    """The sh blocks of a chapter, in order."""
    text = (ROOT / "docs" / document).read_text()
    (body,) = re.findall(rf"^##+ {re.escape(chapter)}\n(.*?)(?=^##+ |\Z)", text, re.S | re.M)
    found = re.findall(r"^```sh\n(.*?)^```", body, re.S | re.M)
    assert found, chapter
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server with a job that has ended, and the environment that the document speaks of."""
    if not POSTGRES:
        assert not os.environ.get("CI"), "SIDEREAL_TEST_POSTGRES is not set"
        pytest.skip("no PostgreSQL: tests/setup/postgres.sh brings one")
    folder = tmp_path_factory.mktemp("operating")
    backup = folder / "backup"
    backup.mkdir()
    (folder / "bin").mkdir()
    (folder / "bin/sidereal").symlink_to(pathlib.Path(BINARY).resolve())
    subprocess.run(["createdb", f"--maintenance-db={POSTGRES}", "operating"], check=True)
    public, internal, drill = free_ports(3)
    environment = {
        "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}", "HOME": str(folder),
        "SIDEREAL_DATABASE_URL": f"{POSTGRES.rpartition('/')[0]}/operating", "SIDEREAL_DATA_DIR": str(folder / "data"),
        "SIDEREAL_LISTEN": f"127.0.0.1:{public}", "SIDEREAL_INTERNAL_LISTEN": f"127.0.0.1:{internal}",
        "SIDEREAL_SERVER": f"http://127.0.0.1:{public}", "SIDEREAL_TOKEN": "sdr_none",
        "INTERNAL": f"http://127.0.0.1:{internal}", "BACKUP": str(backup), "DRILL": f"127.0.0.1:{drill}",
    }
    server = subprocess.Popen([BINARY, "serve"], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert "listening on" in server.stdout.readline()
        job = urllib.request.urlopen(f"http://127.0.0.1:{public}/api/echo/async", data=b"PHASE=RUN&A=sky", timeout=20).url
        while re.search(r"<uws:phase>(\w+)", get(f"{job}?WAIT=10"))[1] != "COMPLETED":
            pass
        yield {**environment, "JOB": job}
    finally:
        server.terminate()
        server.wait(30)
        subprocess.run(["dropdb", "--force", f"--maintenance-db={POSTGRES}", "operating"], check=True)


def run(block, environment, folder=None):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=environment, capture_output=True, text=True, timeout=180,
                          cwd=folder or environment["HOME"])
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_looking_at_it(running):
    environment = running
    shell, sql = blocks("operating.md", "Looking at it")
    said = run(shell, environment)
    assert "fault" not in said and "the schema is up to date" in said
    assert 'sidereal_jobs_ended_total{service="echo",outcome="completed"} 1' in said
    assert '"workers"' in said
    # With one that runs: `oldest` is a time of now.
    job = urllib.request.urlopen(f"{environment['SIDEREAL_SERVER']}/api/echo/async", data=b"PHASE=RUN&SLEEP=600", timeout=20).url
    try:
        assert time.strftime("%Y-%m-", time.gmtime()) in run(sql, environment)
        # KEDA counts it, and what waits, if its type is served.
        for services, count in ((["cutout", "echo"], "1"), (["cutout"], "0"), ([], "1")):
            values = ["--set-json", f"config.services={json.dumps(services)}"]
            (scaled,) = of_kind(render("--values", ROOT / "tests/charts/values/all-on.yaml", *values), "ScaledObject")
            query = scaled["spec"]["triggers"][0]["metadata"]["query"]
            said = subprocess.run(["psql", environment["SIDEREAL_DATABASE_URL"], "--tuples-only", "--no-align", "--command", query],
                                  capture_output=True, text=True, check=True).stdout
            assert said.strip() == count, query
            # It is asked every 15 s, for as long as jobs are kept: by indices alone.
            planned = subprocess.run(["psql", environment["SIDEREAL_DATABASE_URL"], "--command", f"EXPLAIN {query}"], capture_output=True,
                                     text=True, check=True, env={**os.environ, "PGOPTIONS": "-c enable_seqscan=off"}).stdout
            assert "job_running" in planned and "Seq Scan" not in planned, planned
            assert all(f"'{phase}'" in query for phase in ("QUEUED", "EXECUTING", "SUSPENDED"))
    finally:
        get(f"{job}/phase", b"PHASE=ABORT")


def test_backup_and_the_drill(running):
    """Backed up, restored beside it, and the result of the job that had ended is there again."""
    environment = running
    for block in blocks("operating.md", "Backup"):
        run(block, environment)
    backup = pathlib.Path(environment["BACKUP"])
    assert (backup / "sidereal.dump").stat().st_size > 1000
    restore, serve = blocks("operating.md", "The drill")
    assert "fault" not in run(restore, environment)
    # `kill %1` needs job control, as a terminal has it.
    said = run("set -m\n" + serve, environment)
    assert "COMPLETED" in said
    assert json.loads((backup / "result").read_text()) == {"A": ["sky"]}
    left = subprocess.run(["psql", environment["SIDEREAL_DATABASE_URL"], "--tuples-only", "--command", "SELECT datname FROM pg_database"],
                          capture_output=True, text=True, check=True).stdout
    assert "sidereal_drill" not in left
