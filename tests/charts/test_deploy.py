"""`sidereal deploy` against a real control plane, with the real Helm and kubectl: what is good stands, what is not goes back."""

import base64
import json
import os
import signal
import subprocess

import pytest
import yaml

from chart import ROOT
from cluster import TOOLS, Cluster
from test_operating import blocks

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


def surroundings(cluster, **more):
    environment = {name: value for name, value in cluster.environment().items() if name != "CI"}
    # Git believes in this clone, whoever owns it.
    environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT), **more}
    return {"env": environment, "cwd": ROOT, "text": True}


def deploy(cluster, *words, **more):
    """Runs `sidereal deploy` as a person would, in the clone; `more` are variables of the environment."""
    return subprocess.run([SIDEREAL, "deploy", *words], capture_output=True, timeout=300, **surroundings(cluster, **more))


def release(cluster, *words, timeout="60s", **more):
    return deploy(cluster, "sidereal", *DEV1, "--no-setup", "--deploy", "--timeout", timeout, *words, **more)


def image(cluster, name="sidereal-dev1", namespace=NAMESPACE):
    return cluster.kubectl("get", "deployment", f"{name}-api", "--namespace", namespace,
                           "--output", "jsonpath={.spec.template.spec.containers[0].image}").stdout


def tool(cluster, name, lines):
    """PATH with a program of this name before all others, of these lines of shell."""
    folder = cluster.home / f"own-{name}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + lines)
    (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{cluster.environment()['PATH']}"


def history(cluster):
    return json.loads(cluster.helm("history", "sidereal", "--namespace", NAMESPACE, "--output", "json").stdout)


def good(cluster, tag):
    """Whatever was before, afterwards this tag is deployed."""
    done = release(cluster, "--set", f"image.tag={tag}", "--set", "config.devMode.enabled=false")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_set_up_asks_the_cluster_for_leave(cluster):
    done = deploy(cluster, "sidereal", *DEV1, "--deploy", "--set", "image.tag=0.1.0", "--timeout", "60s", "--set", "config.devMode.enabled=false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "auth can-i create deployments.apps" in done.stdout


def test_a_first_release_that_fails_is_taken_away(cluster):
    words = ["--release", "first", "--namespace", "first", "--set", "config.devMode.enabled=false,fullnameOverride=first"]
    done = release(cluster, "--set", "image.tag=missing", *words, timeout="8s")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "rolled back: release first in namespace first was not there before, and is not now" in done.stderr
    assert not json.loads(cluster.helm("list", "--namespace", "first", "--all-namespaces=false", "--output", "json").stdout)


def test_a_good_release(cluster):
    """Installed, waited for, tried; and again, when nothing is to be done."""
    done = good(cluster, "0.1.0")
    assert "rollout status" in done.stdout and "https://dev1.sidereal.example.org" in done.stdout
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"
    done = release(cluster, "--set", "image.tag=0.1.0", "--set", "config.devMode.enabled=false", "--test", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# no difference" in done.stdout and "Succeeded" in done.stdout


def test_dev_mode_as_the_environment_has_it(cluster):
    done = release(cluster, "--set", "image.tag=0.1.0", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+  name: sidereal-dev1-web-dev" in done.stdout
    assert "deployment.apps/sidereal-dev1-web-dev" in done.stdout


def test_a_missing_image_is_rolled_back(cluster):
    good(cluster, "0.1.0")
    before = history(cluster)[-1]["revision"]
    done = release(cluster, "--set", "image.tag=missing", "--set", "config.devMode.enabled=false", timeout="8s")
    assert done.returncode == 6, done.stdout + done.stderr
    stands = f"rolled back: release sidereal in namespace {NAMESPACE} stands at revision {before + 2} (Rollback to {before})"
    assert stands in done.stderr, done.stderr
    assert f"-- the last events in namespace {NAMESPACE}:" in done.stderr
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"
    assert [one["status"] for one in history(cluster)[-2:]] == ["failed", "deployed"]


def only_it(running):
    running.send_signal(signal.SIGTERM)


def as_a_terminal_does(running):
    """Ctrl-C: to all that run there, Helm too."""
    os.killpg(running.pid, signal.SIGINT)


@pytest.mark.parametrize(("stop", "number"), [(only_it, signal.SIGTERM), (as_a_terminal_does, signal.SIGINT)])
def test_who_stops_it_halfway_finds_what_was_before(cluster, tmp_path, stop, number):
    """Helm is asked to end, and goes back; nothing is left of it, nor of what it was given in files."""
    good(cluster, "0.1.0")
    words = [SIDEREAL, "deploy", "sidereal", *DEV1, "--no-setup", "--deploy", "--set", "image.tag=missing",
             "--set", "config.devMode.enabled=false", "--set", "config.auth.clientSecret=hush-hush-hush-hush"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                          **surroundings(cluster, TMPDIR=str(tmp_path))) as running:
        cluster.kubectl("wait", "deployment/sidereal-dev1-api", "--namespace", NAMESPACE, "--timeout=60s",
                        "--for=jsonpath={.spec.template.spec.containers[0].image}=registry.example.org/sidereal:missing")
        assert [file.read_text() for file in tmp_path.iterdir()] == ["hush-hush-hush-hush"]
        stop(running)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 128 + number, out + err
    assert f"ended by signal {number:d}" in err and "rolled back" in err, err
    assert image(cluster) == "registry.example.org/sidereal:0.1.0"
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def test_without_a_rollback_it_is_left_and_taken_back_by_hand(cluster):
    good(cluster, "0.1.0")
    done = release(cluster, "--set", "image.tag=missing", "--set", "config.devMode.enabled=false", "--no-rollback", timeout="8s")
    assert done.returncode == 7 and "not rolled back, as was asked for" in done.stderr, done.stderr
    # Which pod, and why.
    assert "is not ready" in done.stderr, done.stderr
    assert image(cluster).endswith(":missing")
    # The last one that was good is what `helm history` calls deployed or superseded.
    done = deploy(cluster, "rollback", "sidereal", *DEV1, "--timeout", "60s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert image(cluster).endswith(":0.1.0")


def test_back_by_hand_is_never_to_what_was_left(cluster):
    """The second is bad although it gets ready; Helm calls it superseded after that, as it does good ones."""
    place = ["--release", "back", "--namespace", "back"]
    words = [*place, "--set", "config.devMode.enabled=false,fullnameOverride=back"]

    def back(code):
        done = deploy(cluster, "rollback", "sidereal", *DEV1, *place, "--timeout", "60s")
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr, image(cluster, "back", "back").rpartition(":")[2]

    for tag in ("0.1.0", "0.2.0"):
        done = release(cluster, "--set", f"image.tag={tag}", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert back(0)[1] == "0.1.0"
    told, tag = back(7)
    assert tag == "0.1.0" and "release back in namespace back has no good revision before what stands" in told
    assert release(cluster, "--set", "image.tag=0.3.0", *words).returncode == 0
    assert back(0)[1] == "0.1.0"
    history = json.loads(cluster.helm("history", "back", "--namespace", "back", "--output", "json").stdout)
    assert [one["description"] for one in history][-1] == "Rollback to 3"


def test_a_tag_is_deployed_by_its_digest(cluster):
    digest = f"sha256:{'ab' * 32}"
    path = tool(cluster, "docker", f"""case $* in
*"imagetools inspect "*/sidereal:0.4.0) echo '{{"digest": "{digest}"}}' ;;
*) echo "ERROR: not found" >&2; exit 1 ;;
esac
""")
    words = ["--set", "config.devMode.enabled=false"]
    done = release(cluster, "--image-tag", "0.4.0", *words, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert image(cluster) == f"registry.example.org/sidereal@{digest}"
    done = release(cluster, "--image-tag", "0.4.1", *words, PATH=path)
    assert done.returncode == 5 and "sidereal:0.4.1 is not in the registry" in done.stderr, done.stderr
    assert image(cluster) == f"registry.example.org/sidereal@{digest}"


def test_a_secret_is_no_word_of_helm(cluster):
    log = cluster.home / "words"
    path = tool(cluster, "helm", f"""printf '%s\\n' "$*" >>{log}\nexec {TOOLS}/helm "$@"\n""")
    secret = r"it's, {hush}\\ \n"
    escaped = secret.replace("\\", "\\\\").replace(",", "\\,")
    done = release(cluster, "--set", "image.tag=0.1.0,config.devMode.enabled=false", "--diff",
                   "--set", f"config.auth.existingSecret.name=,config.auth.clientSecret={escaped}", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = cluster.kubectl("get", "secret", "sidereal-dev1", "--namespace", NAMESPACE, "--output", "json").stdout
    assert base64.b64decode(json.loads(made)["data"]["client-secret"]).decode() == secret
    assert "hush" not in done.stdout + done.stderr
    words = log.read_text()
    assert "upgrade --install" in words and "hush" not in words and "--set-file config.auth.clientSecret=" in words


def as_user(cluster, name):
    """A kubeconfig by which one is somebody else."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"]["as"] = name
    file = cluster.home / "as-user"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def test_the_documented_rights_are_enough_for_a_first_release(cluster):
    """Those that docs/deploying.md gives GitHub's workflows in one namespace, which is there."""
    cluster.kubectl("create", "namespace", "sidereal")
    # They name kinds of the Prometheus operator.
    for name in ("prometheusrules", "servicemonitors"):
        cluster.kubectl("create", "-f", TOOLS / "definitions" / f"monitoring.coreos.com_{name}.yaml")
    wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]
    cluster.until("the custom resources", lambda: cluster.kubectl(*wait, check=False).returncode == 0)
    (binding,) = blocks("deploying.md", "By GitHub's workflows")
    subprocess.run(["bash", "-euo", "pipefail", "-c", binding], check=True, **surroundings(cluster))
    config = as_user(cluster, "github:repo:ORGANIZATION/sidereal:environment:production")
    assert cluster.kubectl("auth", "can-i", "create", "namespaces", "--kubeconfig", config, check=False).stdout.strip() == "no"
    words = ["sidereal", *DEV1, "--deploy", "--set", "image.tag=0.1.0,config.devMode.enabled=false", "--timeout", "60s"]
    done = deploy(cluster, *words, "--namespace", "sidereal", "--test", KUBECONFIG=config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--create-namespace" not in done.stdout
    assert image(cluster, namespace="sidereal") == "registry.example.org/sidereal:0.1.0"
    done = deploy(cluster, "rollback", "sidereal", *DEV1, "--namespace", "sidereal", KUBECONFIG=config)
    assert done.returncode == 7 and "no good revision" in done.stderr, done.stderr
    # Elsewhere the set-up says so, and without it Helm does.
    done = deploy(cluster, *words, "--namespace", "elsewhere", KUBECONFIG=config)
    assert done.returncode == 3 and "does not let you deploy into namespace elsewhere" in done.stderr, done.stderr
    done = deploy(cluster, *words, "--no-setup", "--namespace", "elsewhere", KUBECONFIG=config)
    assert done.returncode in (6, 7) and "forbidden" in done.stderr, done.stderr


def test_a_namespace_that_is_not_there_is_made(cluster):
    words = ["--release", "new", "--namespace", "new", "--set", "config.devMode.enabled=false,fullnameOverride=new,image.tag=0.1.0"]
    planned = release(cluster, *words, "--dry-run").stdout
    assert "upgrade --install new charts/sidereal --kube-context tests --namespace new --create-namespace" in planned
    done = release(cluster, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--create-namespace" not in release(cluster, *words, "--dry-run").stdout


def test_production_runs_no_older_commit_that_was_approved_later(cluster, tmp_path):
    """Two runs of a workflow, of which the newer one is approved first; in a clone, whose tree is clean."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "clone", "--quiet", ROOT, tmp_path / "clone"], check=True, **surroundings(cluster))
    there = surroundings(cluster) | {"cwd": tmp_path / "clone"}
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "newer"], check=True, **there)
    off = ",".join(f"monitoring.{kind}.enabled=false" for kind in ("serviceMonitor", "prometheusRule"))
    words = [SIDEREAL, "deploy", "sidereal", "--kube-context", "tests", "--namespace", "later", "--yes", "--no-setup", "--deploy",
             "--set", f"image.tag=0.1.0,{off}", "--timeout", "60s"]

    def run(commit, *more):
        subprocess.run([*git, "checkout", "--quiet", "--detach", commit], check=True, **there)
        return subprocess.run([*words, *more], capture_output=True, timeout=300, **there)

    newer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, check=True, **there).stdout.strip()
    done = run(newer)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(f"{newer}^")
    assert done.returncode == 2 and f"production runs commit {newer}, which is later" in done.stderr, done.stderr
    assert len(json.loads(cluster.helm("history", "sidereal", "--namespace", "later", "--output", "json").stdout)) == 1
    done = run(f"{newer}^", "--allow-older")
    assert done.returncode == 0, done.stdout + done.stderr
    # Back by a rollback: what runs is what it is a copy of.
    done = subprocess.run([*words[:2], "rollback", "sidereal", *words[3:8], "--timeout", "60s"], capture_output=True, timeout=300, **there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(f"{newer}^").returncode == 2
    assert run(newer).returncode == 0


def test_another_chart_s_release_is_left_alone(cluster, tmp_path):
    (tmp_path / "moon/templates").mkdir(parents=True)
    (tmp_path / "moon/Chart.yaml").write_text("apiVersion: v2\nname: moon\nversion: 0.3.0\n")
    (tmp_path / "moon/templates/one.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moon}\n")
    place = ["--namespace", "shared"]
    cluster.helm("install", "taken", tmp_path / "moon", *place, "--create-namespace")
    words = ["--release", "taken", *place]
    told = "release taken in namespace shared is of chart moon, and not of sidereal"
    done = release(cluster, *words, "--set", "image.tag=0.1.0,config.devMode.enabled=false")
    assert done.returncode == 2 and told in done.stderr, done.stderr
    done = deploy(cluster, "rollback", "sidereal", "1", *DEV1, *words)
    assert done.returncode == 2 and told in done.stderr, done.stderr
    cluster.kubectl("get", "configmap", "moon", *place)
    assert len(json.loads(cluster.helm("history", "taken", *place, "--output", "json").stdout)) == 1


def test_an_image_is_pulled_from_where_it_is_pushed_to(cluster):
    """Rendered by the real Helm: a file of values that names another registry than the environment."""
    other = cluster.home / "other.yaml"
    other.write_text("image: {repository: other.example.org/sidereal}\n")
    done = release(cluster, "--values", other, "--set", "image.tag=0.1.0")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "is registry.example.org/sidereal by" in done.stderr and "other.example.org/sidereal by" in done.stderr, done.stderr


def test_the_cluster_judges_a_dry_run(cluster):
    good(cluster, "0.1.0")
    before = history(cluster)[-1]["revision"]
    for how in ("client", "server"):
        done = release(cluster, "--set", "image.tag=0.2.0", f"--dry-run={how}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "registry.example.org/sidereal:0.2.0" in done.stdout and "kind: Deployment" in done.stdout
    done = release(cluster, "--set", "image.tag=0.2.0", "--dry-run=server", "--set", "image.pullPolicy=Perhaps")
    assert done.returncode == 6, done.stdout + done.stderr
    assert history(cluster)[-1]["revision"] == before


def test_another_context_is_refused(cluster):
    done = deploy(cluster, "sidereal", "--env", "dev1", "--no-setup", "--deploy", "--set", "image.tag=0.1.0")
    assert done.returncode == 3 and 'the current context is "tests"' in done.stderr, done.stderr


def test_status(cluster):
    good(cluster, "0.1.0")
    done = deploy(cluster, "status", "sidereal", *DEV1)
    assert done.returncode == 0 and "deployed" in done.stdout and "deployment.apps/sidereal-dev1-api" in done.stdout, done.stdout
