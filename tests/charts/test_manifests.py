"""Judges of the manifests: kubeconform with the schemas of every Kubernetes that we name, and kube-score."""

import json

import promql_parser
import pytest

import chart
from chart import SETS, objects, rendered, tool

VERSIONS = [f"1.{minor}" for minor in range(29, 37)]

# Kinds without a schema there: the real API server judges them by their definitions (test_cluster.py).
CUSTOM = {"Cluster", "HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"}


@pytest.fixture(scope="session")
def schemas(tmp_path_factory):
    """Kubernetes' schemas of kubernetes-validate, whose references kubeconform would else look for at kubernetes.io."""
    (source,) = chart.VENV.glob("lib/python3*/site-packages/kubernetes_validate/kubernetes-json-schema")
    kinds = {one["kind"].lower() for name in SETS for one in objects(name)}
    target = tmp_path_factory.mktemp("schemas")
    for version in VERSIONS:
        folder = target / version
        folder.mkdir()
        for file in (source / f"v{version}.0-local-strict").glob("*.json"):
            if file.name.split("-")[0] in kinds or file.name == "_definitions.json":
                document = json.loads(file.read_text())
                document.pop("$id", None)
                text = json.dumps(document).replace("/api/_definitions.json", f"{folder}/_definitions.json")
                (folder / file.name).write_text(text)
    return target


def conform(schemas, version, text):
    location = f"{schemas}/{version}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    return tool("kubeconform", "-strict", "-output", "json", "-summary", "-skip", ",".join(CUSTOM), "-schema-location", location,
                input=text)


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(schemas, version):
    # All sets at once: most of the time goes into reading the schemas.
    done = conform(schemas, version, "".join(rendered(name) for name in SETS))
    assert done.returncode == 0, f"on Kubernetes {version}: {done.stdout}"
    counts = json.loads(done.stdout)["summary"]
    assert counts["valid"] == len([one for name in SETS for one in objects(name) if one["kind"] not in CUSTOM]), counts


def test_a_wrong_manifest_would_be_found(schemas):
    good = rendered("default")
    for wrong in (good.replace("containerPort: 8080", "containerPort: eight"), good.replace("periodSeconds: 10", "periodSecond: 10")):
        assert wrong != good
        assert conform(schemas, VERSIONS[0], wrong).returncode != 0


# What kube-score calls critical and we mean, by the ends of objects' names, and why.
MEANT = {
    # A limit makes the kernel pause a process whose node has cores to spare; requests share them fairly.
    ("", "CPU limit is not set"),
    # The images that are developed in have a user 1000, and it is the owner of what Okteto sends.
    ("-web-dev", "running with a low user ID"), ("-web-dev", "running with a low group ID"),
    ("-dev1-api", "running with a low user ID"), ("-dev1-api", "running with a low group ID"),
    ("-dev2-api", "running with a low user ID"), ("-dev2-api", "running with a low group ID"),
    ("sky-sidereal-api", "running with a low user ID"), ("sky-sidereal-api", "running with a low group ID"),
    # It sleeps until somebody types into it.
    ("-web-dev", "missing a readinessProbe"),
    # Its own folders are what start-dev writes; its image's user is 1000.
    ("-keycloak", "root filesystem"), ("-keycloak", "running with a low user ID"), ("-keycloak", "running with a low group ID"),
    # By digest there is nothing new to pull.
    ("everything-sidereal-api", "ImagePullPolicy"), ("everything-sidereal-worker", "ImagePullPolicy"),
    ("everything-sidereal-migrate", "ImagePullPolicy"), ("everything-sidereal-test", "ImagePullPolicy"),
    ("everything-sidereal-keycloak", "ImagePullPolicy"),
    # Without network policies there are none, in the set in which all is off.
    ("nothing-sidereal-api", "NetworkPolicy"),
}


@pytest.mark.parametrize("name", SETS)
def test_kube_score_finds_nothing_critical(name):
    done = tool("kube-score", "score", "--output-format", "ci", "-", input=rendered(name))
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) > 10, done.stderr
    left = [line for line in lines if line.startswith("[CRITICAL]")
            and not any(words in line and line.split()[1].endswith(end) for end, words in MEANT)]
    assert not left, "\n".join(left)


def test_alerts_and_dashboard_are_read_by_prometheus_grammar():
    """That every metric of theirs is one of the server's is asked in test_server.py."""
    (rule,) = chart.of_kind(objects("production"), "PrometheusRule")
    alerts = rule["spec"]["groups"][0]["rules"]
    assert len({alert["alert"] for alert in alerts}) == len(alerts) == 7
    (dashboard,) = [one for one in objects("production") if one["metadata"]["name"].endswith("-dashboard")]
    panels = json.loads(dashboard["data"]["sidereal.json"])["panels"]
    expressions = [alert["expr"] for alert in alerts]
    expressions += [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]
    for expression in expressions:
        promql_parser.parse(expression)
    with pytest.raises(ValueError):
        promql_parser.parse(expressions[0] + ")")
    assert "NAMESPACE" not in json.dumps(rule) and all('namespace="sidereal"' in alert["expr"] for alert in alerts)
    operating = (chart.ROOT / "docs/operating.md").read_text()
    assert all(f"`{alert['alert']}`" in operating for alert in alerts), "each alert has its line in docs/operating.md"
