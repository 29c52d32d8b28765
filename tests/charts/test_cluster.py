"""The chart on a real control plane: installed, upgraded, rolled back, tested, uninstalled; judged by the real API server."""

import json
import subprocess

import pytest
import yaml

import chart
from chart import CHART, ROOT, SETS
from cluster import TOOLS, Cluster
from test_odd import TAKEN
from test_operating import blocks

# Side by side, in namespaces that let in nothing but what Kubernetes calls restricted.
INSTALLED = ["production", "dev1", "dev2"]
# The images of these sets have a registry of their own; this one is never asked.
GOOD = ["--set-string", "image.tag=0.1.0"]


# Of the custom resources in the chart and in charts/argocd, out of their own projects.
DEFINITIONS = [
    "application-crd.yaml", "appproject-crd.yaml", "gateway.networking.k8s.io_httproutes.yaml", "keda.sh_scaledobjects.yaml",
    "keda.sh_triggerauthentications.yaml", "monitoring.coreos.com_prometheusrules.yaml",
    "monitoring.coreos.com_servicemonitors.yaml", "postgresql.cnpg.io_clusters.yaml",
]


@pytest.fixture(scope="module")
def cluster():
    one = Cluster()
    try:
        for name in DEFINITIONS:
            one.kubectl("create", "-f", TOOLS / "definitions" / name)
        # One that has just come has no conditions yet, and `wait` takes that for an error.
        wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=180s"]
        one.until("the custom resources", lambda: one.kubectl(*wait, check=False).returncode == 0)
        for name in SETS:
            one.apply(yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": SETS[name][1], "labels": {
                    "pod-security.kubernetes.io/warn": "restricted",
                    **({"pod-security.kubernetes.io/enforce": "restricted"} if name in INSTALLED else {})}}}))
        yield one
    finally:
        one.stop()


def upgrade(cluster, name, *arguments, timeout="300s", check=True):
    release, namespace, _ = SETS[name]
    return cluster.helm("upgrade", "--install", release, CHART, "--namespace", namespace, "--wait", "--wait-for-jobs",
                        "--rollback-on-failure", "--timeout", timeout, *chart.value_files(name), *GOOD, *arguments, check=check)


@pytest.fixture(scope="module")
def installed(cluster):
    for name in INSTALLED:
        upgrade(cluster, name)
    return cluster


def get(cluster, name, *arguments):
    done = cluster.kubectl("get", *arguments, "--namespace", SETS[name][1], "--output", "json")
    return json.loads(done.stdout)["items"]


def deployments(cluster, name):
    return {one["metadata"]["name"]: one for one in get(cluster, name, "deployments")}


def image(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def fingerprint(cluster, name):
    """Of everything that the release has: who it is, and which of its specifications this is."""
    release, _, _ = SETS[name]
    kinds = "deployments,services,configmaps,serviceaccounts,ingresses,networkpolicies,persistentvolumeclaims,pods"
    found = get(cluster, name, kinds, "--selector", f"app.kubernetes.io/instance={release}")
    return {(one["kind"], one["metadata"]["name"]): (one["metadata"]["uid"], one["metadata"].get("generation")) for one in found}


def left(cluster, namespace):
    """All that is in a namespace, but for what every one has."""
    kinds = [kind for kind in cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").stdout.split()
             if not kind.startswith(("events", "endpointslices", "endpoints"))]
    cluster.kubectl("wait", "--for=delete", "pods", "--all", "--namespace", namespace, "--timeout=180s")
    found = json.loads(cluster.kubectl("get", ",".join(kinds), "--namespace", namespace, "--output", "json").stdout)["items"]
    return {(one["kind"], one["metadata"]["name"]) for one in found} - {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}


@pytest.mark.parametrize("name", SETS)
def test_the_api_server_takes_every_manifest(cluster, name):
    """Custom resources too, by their own definitions; strictly, so that a field that it does not know is an error."""
    done = cluster.apply(chart.rendered(name), "--dry-run=server", "--validate=strict", "--namespace", SETS[name][1])
    # It warns of fields that are going away, and of pods that are not restricted.
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("case", TAKEN)
def test_the_api_server_takes_odd_values(cluster, case):
    done = cluster.apply(chart.helm("template", "odd", CHART, "--values", "-", input=TAKEN[case]), "--dry-run=server", "--validate=strict")
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("file", sorted((ROOT / "charts/argocd").iterdir()), ids=lambda file: file.name)
def test_the_api_server_takes_argo_cd_s_files(cluster, file):
    text = file.read_text()
    cluster.kubectl("create", "namespace", "argocd", check=False)
    cluster.apply(text, "--dry-run=server", "--validate=strict")
    wrong = text.replace("description: Sidereal", "descriptoin: Sidereal").replace("targetRevision:", "targetRevison:")
    assert wrong != text and cluster.apply(wrong, "--dry-run=server", "--validate=strict", check=False).returncode != 0


def test_custom_resources_are_really_judged(cluster):
    manifests = {one["kind"]: one for name in ("all-on", "cnpg", "gateway") for one in chart.objects(name)}
    for kind, wrong in {
        "Cluster": {"instances": "three"}, "HTTPRoute": {"rules": [{"matches": [{"path": {"type": "Prefix"}}]}]},
        "PrometheusRule": {"groups": [{"rules": []}]}, "ScaledObject": {"minReplicaCount": "one"},
        "ServiceMonitor": {"endpoints": "all"}, "TriggerAuthentication": {"secretTargetRef": [{"key": "url"}]},
    }.items():
        broken = {**manifests[kind], "spec": {**manifests[kind]["spec"], **wrong}}
        assert cluster.apply(yaml.safe_dump(broken), "--dry-run=server", check=False).returncode != 0, kind


def test_production_and_both_to_develop_in_stand_side_by_side(installed):
    for name in INSTALLED:
        for deployment in deployments(installed, name).values():
            status = deployment["status"]
            assert status["readyReplicas"] == status["replicas"] >= 1, deployment["metadata"]["name"]
    assert deployments(installed, "production").keys() == {"sidereal-api", "sidereal-worker"}
    for name in ("dev1", "dev2"):
        assert deployments(installed, name).keys() == {f"sidereal-{name}-api", f"sidereal-{name}-web-dev"}
        claims = get(installed, name, "persistentvolumeclaims")
        assert {one["status"]["phase"] for one in claims} == {"Bound"} and len(claims) == 2
    policies = get(installed, "production", "networkpolicies")
    assert {one["metadata"]["name"] for one in policies} == {f"sidereal-{end}" for end in ("default", "server", "public", "test")}


def test_the_migration_ran_before_the_pods_and_is_gone(installed):
    done = installed.kubectl("get", "events", "--namespace", "sidereal", "--output", "json")
    events = json.loads(done.stdout)["items"]
    migrated = [one for one in events if one["reason"] == "Completed" and one["involvedObject"]["name"] == "sidereal-migrate"]
    assert migrated
    first = min(one["metadata"]["creationTimestamp"] for one in events if one["reason"] == "ScalingReplicaSet")
    assert migrated[0]["metadata"]["creationTimestamp"] <= first
    left = get(installed, "production", "jobs,serviceaccounts,secrets")
    assert "sidereal-migrate" not in [one["metadata"]["name"] for one in left]


def test_helm_test(installed):
    for name in INSTALLED:
        release, namespace, _ = SETS[name]
        said = installed.helm("test", release, "--namespace", namespace, "--timeout", "180s").stdout
        assert "Succeeded" in said


def test_service_accounts_may_do_nothing(installed):
    for name in INSTALLED:
        namespace = SETS[name][1]
        for account in get(installed, name, "serviceaccounts"):
            who = f"system:serviceaccount:{namespace}:{account['metadata']['name']}"
            for verb, what in [("get", "secrets"), ("list", "pods"), ("create", "pods"), ("patch", "deployments"), ("get", "configmaps"), ("create", "jobs")]:
                done = installed.kubectl("auth", "can-i", verb, what, "--as", who, "--namespace", namespace, check=False)
                assert done.stdout.strip() == "no", f"{who} may {verb} {what}"
    # The question is one that has another answer.
    assert installed.kubectl("auth", "can-i", "get", "secrets").stdout.strip() == "yes"


def test_an_upgrade_changes_its_release_alone(installed):
    before = {name: fingerprint(installed, name) for name in ("dev1", "dev2")}
    upgrade(installed, "production", "--set-string", "image.tag=0.2.0", "--set", "config.maxBody=32 MiB")
    for deployment in deployments(installed, "production").values():
        assert image(deployment) == "registry.example.org/sidereal:0.2.0"
        assert deployment["status"]["readyReplicas"] == deployment["status"]["updatedReplicas"] >= 1
    assert before == {name: fingerprint(installed, name) for name in ("dev1", "dev2")}
    upgrade(installed, "dev1", "--set-string", "image.tag=0.2.0")
    assert image(deployments(installed, "dev1")["sidereal-dev1-api"]).endswith(":0.2.0")
    assert before["dev2"] == fingerprint(installed, "dev2")


def history(cluster, name):
    release, namespace, _ = SETS[name]
    return json.loads(cluster.helm("history", release, "--namespace", namespace, "--output", "json").stdout)


def test_a_bad_image_is_rolled_back(installed):
    before = image(deployments(installed, "dev2")["sidereal-dev2-api"])
    done = upgrade(installed, "dev2", "--set-string", "image.tag=missing", timeout="12s", check=False)
    assert done.returncode != 0 and "rolled back" in done.stderr
    (_, failed, back) = history(installed, "dev2")
    assert failed["status"] == "failed" and back["status"] == "deployed" and "Rollback to" in back["description"]
    api = deployments(installed, "dev2")["sidereal-dev2-api"]
    assert image(api) == before
    installed.kubectl("rollout", "status", "deployment/sidereal-dev2-api", "--namespace", "sidereal-dev2", "--timeout=180s")


def test_a_migration_that_fails_leaves_the_pods_alone(installed):
    before = fingerprint(installed, "production")
    done = upgrade(installed, "production", "--set-string", "image.tag=missing", timeout="12s", check=False)
    assert done.returncode != 0
    pods = {value for key, value in before.items() if key[0] == "Pod"}
    assert pods and pods <= set(fingerprint(installed, "production").values())
    assert {image(one) for one in deployments(installed, "production").values()} == {"registry.example.org/sidereal:0.2.0"}
    assert history(installed, "production")[-1]["status"] == "deployed"
    # The next one finds its way.
    upgrade(installed, "production", "--set-string", "image.tag=0.3.0")
    assert {image(one) for one in deployments(installed, "production").values()} == {"registry.example.org/sidereal:0.3.0"}


def test_what_a_failed_migration_leaves_ends_by_itself(cluster):
    """docs/deploying.md says what stays of a release that is uninstalled after it: the Job, for an hour."""
    cluster.kubectl("create", "namespace", "failed")
    values = ["--namespace", "failed", "--set-string", "database.url=postgres://x:y@nowhere/x,fullnameOverride=sidereal"]
    install = ["upgrade", "--install", "sidereal", CHART, *values, "--wait", "--timeout", "180s"]
    cluster.helm(*install, "--set", "migrations.mode=none")
    cluster.helm(*install, "--set", "migrations.mode=hook,migrations.activeDeadlineSeconds=2", "--set-string", "image.tag=missing", check=False)
    wait = ["wait", "job/sidereal-migrate", "--namespace", "failed", "--timeout=180s"]
    cluster.kubectl(*wait, "--for=condition=Failed")
    cluster.helm("uninstall", "sidereal", "--namespace", "failed", "--wait", "--timeout", "180s")
    assert left(cluster, "failed") == {("Job", "sidereal-migrate"), ("PersistentVolumeClaim", "sidereal-data")}
    # The hour is over.
    cluster.kubectl("patch", "job/sidereal-migrate", "--namespace", "failed", "--type=merge", "--patch", '{"spec": {"ttlSecondsAfterFinished": 0}}')
    cluster.kubectl(*wait, "--for=delete")
    assert left(cluster, "failed") == {("PersistentVolumeClaim", "sidereal-data")}


def test_the_default_and_its_volume(cluster):
    """Uninstalling leaves the volume with jobs and results, and what comes next takes it up."""
    cluster.kubectl("create", "namespace", "trial")
    install = ["upgrade", "--install", "sidereal", CHART, "--namespace", "trial", "--wait", "--timeout", "180s"]
    cluster.helm(*install)
    cluster.helm("uninstall", "sidereal", "--namespace", "trial", "--wait", "--timeout", "180s")
    (claim,) = json.loads(cluster.kubectl("get", "pvc", "--namespace", "trial", "-o", "json").stdout)["items"]
    assert claim["metadata"]["name"] == "sidereal-data"
    cluster.helm(*install)
    (again,) = json.loads(cluster.kubectl("get", "pvc", "--namespace", "trial", "-o", "json").stdout)["items"]
    assert again["metadata"]["uid"] == claim["metadata"]["uid"] and again["status"]["phase"] == "Bound"


def test_uninstalling_leaves_nothing(installed):
    """Last: of each release in turn, while the others stay as they are."""
    for index, name in enumerate(reversed(INSTALLED)):
        release, namespace, _ = SETS[name]
        others = [one for one in INSTALLED[: len(INSTALLED) - 1 - index]]
        before = {one: fingerprint(installed, one) for one in others}
        installed.helm("uninstall", release, "--namespace", namespace, "--wait", "--timeout", "180s")
        assert not left(installed, namespace), name
        assert before == {one: fingerprint(installed, one) for one in others}


def shell(cluster, block):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=cluster.environment(), cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def secrets_that_pods_ask_for(name):
    """With their keys; but for what the release brings itself."""
    manifests = chart.objects(name)
    made = {one["metadata"]["name"] for one in chart.of_kind(manifests, "Secret")}
    asked = [variable["valueFrom"]["secretKeyRef"] for one in chart.with_pods(manifests) for container in chart.containers(one)
             for variable in container.get("env", []) if "valueFrom" in variable]
    return {(reference["name"], reference["key"]) for reference in asked if reference["name"] not in made}


def secrets(cluster, name):
    return {(one["metadata"]["name"], key) for one in get(cluster, name, "secrets") for key in one.get("data", {})}


def test_the_documents_commands_for_an_environment_to_develop_in(cluster):
    """All that its pods wait for is there before they are."""
    cluster.kubectl("delete", "namespace", "sidereal-dev2", "--ignore-not-found", "--wait")
    shell(cluster, blocks("deploying.md", "Developing on Kubernetes")[0])
    assert secrets_that_pods_ask_for("dev2") == secrets(cluster, "dev2")
    upgrade(cluster, "dev2")


def test_the_documents_commands_for_argo_cd(cluster):
    cluster.kubectl("create", "namespace", "argocd", check=False)
    (block,) = blocks("deploying.md", "By Argo CD")
    shell(cluster, block)
    found = json.loads(cluster.kubectl("get", "applications", "--namespace", "argocd", "--output", "json").stdout)["items"]
    assert {one["metadata"]["name"] for one in found} == {"sidereal", "sidereal-dev1", "sidereal-dev2"}


def test_the_documents_commands(cluster):
    """Those of docs/deploying.md and docs/operating.md, as they stand, in a namespace that is not there yet."""
    cluster.kubectl("delete", "namespace", "sidereal", "--ignore-not-found", "--wait")
    install, uninstall = blocks("deploying.md", "By Helm")
    assert "Succeeded" in shell(cluster, install)
    assert secrets_that_pods_ask_for("production") == {one for one in secrets(cluster, "production") if not one[0].startswith("sh.helm.")}
    upgrade_and_back, restart = blocks("operating.md", "On Kubernetes")
    said = shell(cluster, upgrade_and_back)
    assert "successfully rolled out" in said and "Rollback was a success" in said
    assert {image(one) for one in deployments(cluster, "production").values()} == {"registry.example.org/sidereal:0.1.0"}
    assert "successfully rolled out" in shell(cluster, restart)
    stop, one, others = blocks("operating.md", "When it is lost")
    shell(cluster, stop)
    assert not json.loads(cluster.kubectl("get", "pods", "--namespace", "sidereal", "--output", "json").stdout)["items"]
    shell(cluster, one)
    assert deployments(cluster, "production")["sidereal-worker"]["spec"]["replicas"] == 0
    shell(cluster, others)
    assert all(one["status"]["readyReplicas"] == 2 for one in deployments(cluster, "production").values())
    (binding,) = blocks("deploying.md", "By GitHub's workflows")
    shell(cluster, binding)
    who = ["--as", "github:repo:ORGANIZATION/sidereal:environment:production"]
    for namespace, answer in (("sidereal", "yes"), ("sidereal-dev1", "no")):
        done = cluster.kubectl("auth", "can-i", "patch", "deployments", "--namespace", namespace, *who, check=False)
        assert done.stdout.strip() == answer
    # It suffices for what `sidereal deploy` then asks for.
    upgrade(cluster, "production", "--set-string", "image.tag=0.4.0", "--kube-as-user", who[1])
    assert {image(one) for one in deployments(cluster, "production").values()} == {"registry.example.org/sidereal:0.4.0"}
    shell(cluster, uninstall)
    assert not deployments(cluster, "production")
