"""`sidereal deploy` against a real control plane, with the real Helm and kubectl: what is good stands, what is not goes back."""

import json
import signal
import subprocess

import pytest

from chart import ROOT
from cluster import TOOLS, Cluster

pytestmark = pytest.mark.skipif(not (TOOLS / "all.ok").exists(), reason="no control plane here: tests/setup/kubernetes.sh brings it")

SIDEREAL = ROOT / "target/debug/sidereal"
NAMESPACE = "sidereal-dev1"
# The control plane's context stands for the one that the environment's file names.
DEV1 = ["--env", "dev1", "--kube-context", "tests"]


@pytest.fixture(scope="module")
def cluster():
    one = Cluster()
    try:
        yield one
    finally:
        one.stop()


def surroundings(cluster):
    environment = {name: value for name, value in cluster.environment().items() if name != "CI"}
    # Git believes in this clone, whoever owns it.
    environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT)}
    return {"env": environment, "cwd": ROOT, "text": True}


def deploy(cluster, *words):
    """Runs `sidereal deploy` as a person would, in the clone."""
    return subprocess.run([SIDEREAL, "deploy", *words], capture_output=True, timeout=300, **surroundings(cluster))


def release(cluster, *words, timeout="60s"):
    return deploy(cluster, "sidereal", *DEV1, "--no-setup", "--deploy", "--timeout", timeout, *words)


def image(cluster):
    return cluster.kubectl("get", "deployment", "sidereal-dev1-api", "--namespace", NAMESPACE,
                           "--output", "jsonpath={.spec.template.spec.containers[0].image}").stdout


def history(cluster):
    return json.loads(cluster.helm("history", "sidereal", "--namespace", NAMESPACE, "--output", "json").stdout)


def good(cluster, tag):
    """Whatever was before, afterwards this tag is deployed."""
    done = release(cluster, "--image-tag", tag, "--set", "config.devMode.enabled=false")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_set_up_asks_the_cluster_for_leave(cluster):
    done = deploy(cluster, "sidereal", *DEV1, "--deploy", "--image-tag", "0.1.0", "--timeout", "60s", "--set", "config.devMode.enabled=false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "auth can-i create deployments.apps" in done.stdout


def test_a_first_release_that_fails_is_taken_away(cluster):
    words = ["--release", "first", "--namespace", "first", "--set", "config.devMode.enabled=false,fullnameOverride=first"]
    done = release(cluster, "--image-tag", "missing", *words, timeout="8s")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "rolled back: release first in namespace first was not there before, and is not now" in done.stderr
    assert not json.loads(cluster.helm("list", "--namespace", "first", "--all-namespaces=false", "--output", "json").stdout)


def test_a_good_release(cluster):
    """Installed, waited for, tried; and again, when nothing is to be done."""
    done = good(cluster, "0.1.0")
    assert "rollout status" in done.stdout and "https://dev1.sidereal.example.org" in done.stdout
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"
    done = release(cluster, "--image-tag", "0.1.0", "--set", "config.devMode.enabled=false", "--test", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# no difference" in done.stdout and "Succeeded" in done.stdout


def test_dev_mode_as_the_environment_has_it(cluster):
    done = release(cluster, "--image-tag", "0.1.0", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+  name: sidereal-dev1-web-dev" in done.stdout
    assert "deployment.apps/sidereal-dev1-web-dev" in done.stdout


def test_a_missing_image_is_rolled_back(cluster):
    good(cluster, "0.1.0")
    before = history(cluster)[-1]["revision"]
    done = release(cluster, "--image-tag", "missing", "--set", "config.devMode.enabled=false", timeout="8s")
    assert done.returncode == 6, done.stdout + done.stderr
    stands = f"rolled back: release sidereal in namespace {NAMESPACE} stands at revision {before + 2} (Rollback to {before})"
    assert stands in done.stderr, done.stderr
    assert f"-- the last events in namespace {NAMESPACE}:" in done.stderr
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"
    assert [one["status"] for one in history(cluster)[-2:]] == ["failed", "deployed"]


def test_who_stops_it_halfway_finds_what_was_before(cluster):
    """Helm is asked to end, and goes back."""
    good(cluster, "0.1.0")
    words = [SIDEREAL, "deploy", "sidereal", *DEV1, "--no-setup", "--deploy", "--image-tag", "missing", "--set", "config.devMode.enabled=false"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **surroundings(cluster)) as running:
        cluster.kubectl("wait", "deployment/sidereal-dev1-api", "--namespace", NAMESPACE, "--timeout=60s",
                        "--for=jsonpath={.spec.template.spec.containers[0].image}=registry.example.org/sidereal:missing")
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 128 + signal.SIGTERM, out + err
    assert "rolled back" in err, err
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"


def test_without_a_rollback_it_is_left_and_taken_back_by_hand(cluster):
    good(cluster, "0.1.0")
    done = release(cluster, "--image-tag", "missing", "--set", "config.devMode.enabled=false", "--no-rollback", timeout="8s")
    assert done.returncode == 7 and "not rolled back, as was asked for" in done.stderr, done.stderr
    # Which pod, and why.
    assert "is not ready" in done.stderr, done.stderr
    assert image(cluster).endswith(":missing")
    # The last one that was good is what `helm history` calls deployed or superseded.
    done = deploy(cluster, "rollback", "sidereal", *DEV1, "--timeout", "60s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert image(cluster).endswith(":0.1.0")


def test_the_cluster_judges_a_dry_run(cluster):
    good(cluster, "0.1.0")
    before = history(cluster)[-1]["revision"]
    for how in ("client", "server"):
        done = release(cluster, "--image-tag", "0.2.0", f"--dry-run={how}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "registry.example.org/sidereal:0.2.0" in done.stdout and "kind: Deployment" in done.stdout
    done = release(cluster, "--image-tag", "0.2.0", "--dry-run=server", "--set", "image.pullPolicy=Perhaps")
    assert done.returncode == 6, done.stdout + done.stderr
    assert history(cluster)[-1]["revision"] == before


def test_another_context_is_refused(cluster):
    done = deploy(cluster, "sidereal", "--env", "dev1", "--no-setup", "--deploy", "--image-tag", "0.1.0")
    assert done.returncode == 3 and 'the current context is "tests"' in done.stderr, done.stderr


def test_status(cluster):
    good(cluster, "0.1.0")
    done = deploy(cluster, "status", "sidereal", *DEV1)
    assert done.returncode == 0 and "deployed" in done.stdout and "deployment.apps/sidereal-dev1-api" in done.stdout, done.stdout
