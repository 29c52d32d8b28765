"""Values that nobody thinks of: what can be done with them is done as it was meant, the rest refused by name."""

import json

import pytest
import yaml

import chart
from chart import CHART, ROOT, named, objects, of_kind, pod, refusal, render

OIDC = "auth: {mode: oidc, issuer: 'https://login.example.org/realms/sky', existingSecret: {name: login}}"
APART = "database: {existingSecret: {name: database}}\nresults: {url: 's3://bucket'}"

# The API server is asked too, in test_cluster.py.
TAKEN = {
    # Words and numbers that YAML takes for others.
    "names": f"""
        nameOverride: "on"
        fullnameOverride: "on"
        image: {{pullSecrets: ["on", "1e3"]}}
        config: {{auth: {{mode: oidc, issuer: "https://login.example.org/realms/1e3", existingSecret: {{name: "1e3", key: "on"}}}}}}
        database: {{existingSecret: {{name: "1e3", key: "null"}}}}
        results: {{url: "s3://b", s3: {{existingSecret: {{name: "on", accessKeyIdKey: "1", secretAccessKeyKey: "no"}}}}}}
        migrations: {{mode: hook}}
        serviceAccount: {{name: "on"}}
        ingress: {{enabled: true, host: "1e3", className: "on", tls: {{secretName: "on"}}}}
        keycloak: {{realmImport: {{enabled: true}}}}
        api: {{priorityClassName: "on", podLabels: {{a: "on", b: "1e3", c: "0x10"}}, podAnnotations: {{a: "x: y # z", b: 'q"u'}}}}
        monitoring: {{serviceMonitor: {{enabled: true, labels: {{release: "on"}}}}, dashboard: {{enabled: true}}, prometheusRule: {{enabled: true}}}}
        """,
    "a numeric host of a gateway": f"""
        gateway: {{enabled: true, host: "123", parentRefs: [{{name: "1"}}]}}
        config: {{{OIDC}, devMode: {{enabled: true, web: {{path: /a, image: {{repository: "1", tag: "22"}}}}}}}}
        """,
    "a numeric storage class": "persistence: {storageClass: '1', size: 1073741824}",
    "a claim that is there": "persistence: {existingClaim: '1e3'}",
    "half a core": "api: {resources: {requests: {cpu: 0.5, memory: 1Gi}}}",
    "an environment with quotes": """
        extraEnv: [{name: A, value: 'a "b" #d: e'}, {name: B, value: "two\\nlines"}]
        config: {log: {level: "on"}}
        """,
    "a path with a slash at its end": f"ingress: {{enabled: true, host: x.example.org, path: /sidereal/}}\nconfig: {{{OIDC}}}",
    "addresses of both families": "networkPolicy: {egressExcept: ['169.254.169.254/32', 'fd00:ec2::254/128', 'fe80::/10']}",
    "no addresses": "networkPolicy: {egressExcept: [], egressPorts: [443, 443]}",
    "a worker in dev mode": f"config: {{devMode: {{enabled: true}}}}\nworker: {{enabled: true, autoscaling: {{enabled: true}}}}\n{APART}",
    "objects by templates": """
        extraObjects:
          - |
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: "{{ .Release.Name }}-a"}
            data: {replicas: "{{ .Values.api.replicas }}"}
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: b-extra}
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: c-extra}, data: {a: '{{ "{{" }}'}}
        """,
    "no annotations": f"ingress: {{enabled: true, host: x.example.org, annotations: null}}\nconfig: {{{OIDC}, devMode: {{enabled: true}}}}",
    "a settings file that begins with a space": "config: {file: \"\\n   workers = 3\\n[cutout]\\n\\tmemory = '1 GiB'\\n\"}",
    "a settings file that begins with a tab": "config: {file: \"\\tworkers = 3\\n\"}",
}


def made(case):
    return chart.parse(chart.helm("template", "odd", CHART, "--values", "-", input=TAKEN[case]))


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_text_stays_text(case):
    """Kubernetes' fields for names, keys, labels and variables take no number and no truth."""
    texts = {"name", "key", "namespace", "secretName", "claimName", "host", "path", "image", "storageClassName", "value", "priorityClassName",
             "ingressClassName", "serviceAccountName"}
    maps = {"labels", "annotations", "matchLabels", "data", "stringData"}

    def walk(node, above):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if above in maps or (key in texts and not isinstance(value, dict)):
                assert isinstance(value, str), f"{above}.{key}: {value!r}"
            elif isinstance(value, (dict, list)):
                walk(value, key)

    for one in made(case):
        walk(one, "")


def test_a_settings_file_is_what_was_written():
    for case in TAKEN:
        if "settings file" in case:
            assert named(made(case), "Secret", "odd-sidereal-file")["stringData"]["sidereal.toml"] == yaml.safe_load(TAKEN[case])["config"]["file"]


@pytest.mark.parametrize(("arguments", "url", "path"), [
    (["--values", ROOT / "tests/charts/values/all-on.yaml"], "https://sky.example.org/sidereal", "/sidereal"),
    (["--values", ROOT / "tests/charts/values/all-on.yaml", "--set", "ingress.path=/sidereal/"], "https://sky.example.org/sidereal", "/sidereal"),
    (["--set", "config.publicUrl=https://x.example.org/a/b/"], "https://x.example.org/a/b", "/a/b"),
    (["--set", "config.publicUrl=https://x.example.org/"], "https://x.example.org", ""),
    ([], "http://127.0.0.1:8080", ""),
])
def test_helm_s_test_asks_below_the_public_path(arguments, url, path):
    manifests = render(*arguments)
    (settings,) = [one["data"] for one in of_kind(manifests, "ConfigMap") if "SIDEREAL_PUBLIC_URL" in one["data"]]
    assert settings["SIDEREAL_PUBLIC_URL"] == url
    (job,) = [one for one in of_kind(manifests, "Job") if one["metadata"]["name"].endswith("-test")]
    asked = pod(job)["containers"][0]["args"][-1]
    assert asked.partition("-api:")[2] == f"80{path}/api/v1/services"


REFUSED = [
    # Image, names, paths, addresses.
    ("image.tag=123", "/image/tag"),
    ("image.repository=localhost:5000/x:1", "/image/repository"),
    ("fullnameOverride=0sidereal", "/fullnameOverride"),
    ("fullnameOverride=" + "a" * 60, "/fullnameOverride"),
    ("ingress.path=//", "/ingress/path"),
    ("ingress.path=/a b", "/ingress/path"),
    ("gateway.path=/a: b", "/gateway/path"),
    ("config.devMode.web.path=/", "/config/devMode/web/path"),
    ("config.devMode.web.path=/app/", "/config/devMode/web/path"),
    ("networkPolicy.egressExcept={169.254.169.254}", "/networkPolicy/egressExcept"),
    ("networkPolicy.egressExcept={metadata.google.internal}", "/networkPolicy/egressExcept"),
    ("networkPolicy.egressExcept={0.0.0.0/0}", "/networkPolicy/egressExcept"),
    # What would make the manifest another's.
    ("api.podLabels.app\\.kubernetes\\.io/component=x", "/api/podLabels"),
    ("worker.podAnnotations.checksum/config=x", "/worker/podAnnotations"),
    # Null.
    ("api.autoscaling=null", "'autoscaling'"),
    ("ingress=null", "'ingress'"),
    ("config.log.level=null", "'level'"),
    # Numbers that do not fit each other.
    ("api.autoscaling.minReplicas=7", "api.autoscaling.minReplicas is more than"),
    ("worker.autoscaling.minReplicas=11", "worker.autoscaling.minReplicas is more than"),
    ("worker.keda.minReplicas=21", "worker.keda.minReplicas is more than"),
    ("worker.keda.maxReplicas=0", "/worker/keda/maxReplicas"),
    ("config.engine.grace=120", "must be more than config.engine.grace"),
    ("api.terminationGracePeriodSeconds=10", "api.terminationGracePeriodSeconds must be more"),
    ("migrations.activeDeadlineSeconds=0", "/migrations/activeDeadlineSeconds"),
    # URLs.
    ("results.s3.endpoint=http://s3.example.org", "set results.s3.allowHttp"),
    ("config.publicUrl=https://x.example.org/other,gateway.enabled=true,gateway.host=x.example.org,gateway.path=/sidereal", "another path"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_the_rest_is_refused_by_name(values, words):
    said = refusal("--set", values)
    assert words in said and "nil pointer" not in said and "YAML parse error" not in said


def test_a_release_whose_name_begins_with_a_digit_needs_another():
    done = chart.tool("helm", "template", "1e3", CHART)
    assert done.returncode != 0 and "set fullnameOverride" in done.stderr
    labels = [one["metadata"]["labels"]["app.kubernetes.io/instance"]
              for one in chart.parse(chart.helm("template", "1e3", CHART, "--set", "fullnameOverride=sky"))]
    assert set(labels) == {"1e3"}


@pytest.mark.parametrize("name", ["default", "all-on", "dev1"])
def test_lists_and_maps_may_be_null(name):
    """As a file of values takes a default away."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def nothing(values, node):
        needed = node.get("required", [])
        return {key: nothing(value, node["properties"][key]) if key in needed and isinstance(value, dict) else None
                for key, value in values.items() if key not in needed or isinstance(value, dict)}

    nulls = nothing(yaml.safe_load((CHART / "values.yaml").read_text()), schema)
    assert nulls["ingress"]["annotations"] is None and nulls["networkPolicy"]["egressPorts"] is None and "host" not in nulls["ingress"]
    done = chart.tool("helm", "template", "sidereal", CHART, *chart.value_files(name), "--values", "-", input=yaml.safe_dump(nulls))
    assert done.returncode == 0, done.stderr
    assert {chart.title(one) for one in chart.parse(done.stdout)} >= {"Deployment " + one["metadata"]["name"].replace("everything-", "")
                                                                     for one in of_kind(objects(name), "Deployment")}
