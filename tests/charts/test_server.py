"""The real server with what the chart gives it: every variable of every pod, and the metrics that alerts are made of."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import chart
from chart import SETS, objects, pod

BINARY = os.environ.get("SIDEREAL_BIN") or chart.ROOT / "target/debug/sidereal"

# What secrets hold.
SECRETS = {
    "SIDEREAL_AUTH__CLIENT_SECRET": "a secret that is long enough",
    "SIDEREAL_DASHBOARD__BUILD_SECRET": "a secret that is long enough",
    "SIDEREAL_DASHBOARD__FASTLY_KEY": "token",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def environment(name, deployment, folder):
    """The variables of a pod of the server, with an embedded database for the one that its secret names."""
    manifests = objects(name)
    (container,) = pod(deployment)["containers"]
    found = dict(chart.named(manifests, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"])
    for variable in container["env"]:
        found[variable["name"]] = variable.get("value") or SECRETS.get(variable["name"], "")
    if "SIDEREAL_CONFIG" in found:
        (text,) = [one["stringData"]["sidereal.toml"] for one in manifests if "sidereal.toml" in one.get("stringData", {})]
        found["SIDEREAL_CONFIG"] = str(folder / "sidereal.toml")
        (folder / "sidereal.toml").write_text(text)
    found["SIDEREAL_DATA_DIR"] = str(folder / "data")
    found["SIDEREAL_DATABASE_URL"] = f"sqlite://{folder}/sidereal.db"
    return found


def servers(name):
    return [one for one in chart.of_kind(objects(name), "Deployment") if pod(one)["containers"][0]["name"] == "sidereal"]


def migrate(variables, folder):
    """`migrate` reads and checks all settings before it does its work."""
    return subprocess.run([BINARY, "migrate"], env={"PATH": os.environ["PATH"], **variables}, cwd=folder,
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", SETS)
def test_the_server_takes_every_variable(name, tmp_path):
    assert servers(name)
    for deployment in servers(name):
        done = migrate(environment(name, deployment, tmp_path), tmp_path)
        assert done.returncode == 0, f"{chart.title(deployment)}: {done.stderr}"


def test_a_wrong_variable_would_be_found(tmp_path):
    (deployment,) = servers("default")
    variables = environment("default", deployment, tmp_path)
    for name, value in {"SIDEREAL_QUOTA__RUNING": "1", "SIDEREAL_ROLE": "boss", "SIDEREAL_PUBLIC_URL": "ftp://x"}.items():
        assert migrate({**variables, name: value}, tmp_path).returncode != 0, name


def test_the_migration_s_own_variables_are_enough(tmp_path):
    (job,) = [one for one in chart.of_kind(objects("production"), "Job") if one["metadata"]["name"].endswith("-migrate")]
    names = {variable["name"] for variable in pod(job)["containers"][0]["env"]}
    variables = {"SIDEREAL_DATABASE_URL": f"sqlite://{tmp_path}/x.db", "SIDEREAL_DATA_DIR": str(tmp_path)}
    assert names == variables.keys()
    done = migrate(variables, tmp_path)
    assert done.returncode == 0 and "applied m0001" in done.stdout, done.stderr


def test_compose_gives_the_server_what_it_takes(tmp_path):
    import yaml

    compose = yaml.safe_load((chart.ROOT / "compose.yaml").read_text())
    variables = dict(compose["services"]["sidereal"]["environment"])
    variables["SIDEREAL_DATABASE_URL"] = f"sqlite://{tmp_path}/x.db"
    done = migrate(variables, tmp_path)
    assert done.returncode == 0, done.stderr


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def get(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=20) as answer:
        return answer.read().decode()


def test_probes_and_metrics(tmp_path):
    """The default set's server: its probes, the requests of `helm test`, and every metric of alerts and dashboard."""
    (deployment,) = servers("default")
    public, internal = free_ports(2)
    variables = environment("default", deployment, tmp_path)
    variables |= {"SIDEREAL_LISTEN": f"127.0.0.1:{public}", "SIDEREAL_INTERNAL_LISTEN": f"127.0.0.1:{internal}",
                  "SIDEREAL_PUBLIC_URL": f"http://127.0.0.1:{public}", "SIDEREAL_DASHBOARD__ANONYMOUS_BUILD": "true"}
    server = subprocess.Popen([BINARY, "serve"], env={"PATH": os.environ["PATH"], **variables}, cwd=tmp_path,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        # As the tutorial of docs/deploying.md has it.
        assert f"listening on http://127.0.0.1:{public}" in server.stdout.readline()
        (container,) = pod(deployment)["containers"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get(f"http://127.0.0.1:{internal}{container[probe]['httpGet']['path']}")
        # helm test: the second of its URLs, at the public port, for the public URL's host.
        get(f"http://127.0.0.1:{public}/api/v1/services")
        with pytest.raises(urllib.error.HTTPError):
            get(f"http://127.0.0.1:{public}/metrics")
        # What Keeper asks the internal service for is there, and finds fault with nothing.
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(f"http://127.0.0.1:{internal}/build", b"{}")
        assert refused.value.code in (400, 415, 422), refused.value.code
        job = urllib.request.urlopen(f"http://127.0.0.1:{public}/api/echo/async", data=b"PHASE=RUN&A=1", timeout=20).url
        deadline = time.monotonic() + 30
        # WAIT blocks until the phase changes.
        while (phase := re.search(r"<uws:phase>(\w+)", get(f"{job}?WAIT=10"))[1]) != "COMPLETED":
            assert phase in ("PENDING", "QUEUED", "EXECUTING") and time.monotonic() < deadline
        exported = set(re.findall(r"^# TYPE (\w+) ", get(f"http://127.0.0.1:{internal}/metrics"), re.M))
    finally:
        server.terminate()
        server.wait(30)
    text = (chart.CHART / "files/alerts.yaml").read_text()
    dashboard = json.loads((chart.CHART / "files/dashboard.json").read_text())
    text += "\n".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    text += "\n".join(variable["query"]["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query")
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b((?:http|process|sidereal)_\w+)", text)}
    assert {"sidereal_jobs", "sidereal_queue_oldest_seconds"} <= used <= exported, used - exported
    operating = (chart.ROOT / "docs/operating.md").read_text()
    assert all(name in operating for name in exported), "docs/operating.md names every metric"
