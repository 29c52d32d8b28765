"""What names the chart's objects from outside: Okteto's files, Argo CD's applications, the deploy command's files."""

import json
import os
import re
import subprocess
import tomllib

import pytest
import yaml

import chart
from chart import CHART, ROOT, SETS, named, objects, of_kind, pod
from test_okteto_rules import dev
from test_server import BINARY


@pytest.mark.parametrize("name", ["dev1", "dev2"])
def test_okteto_names_what_the_chart_makes(name):
    for service, wanted in dev(name).items():
        deployment = named(objects(name), "Deployment", service)
        (container,) = [one for one in pod(deployment)["containers"] if one["name"] == wanted["container"]]
        ports = {port["containerPort"] for port in container["ports"]}
        assert {int(forward.split(":")[1]) for forward in wanted["forward"]} <= ports
        # Sources and builds go to the chart's volumes.
        places = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {sync.split(":")[1] for sync in wanted["sync"]} <= places
        for variable in ("CARGO_HOME", "CARGO_TARGET_DIR"):
            if variable in wanted.get("environment", {}):
                assert wanted["environment"][variable].startswith("/cache/") and "/cache" in places
        if service.endswith("-web-dev"):
            assert wanted["image"] == container["image"]
            assert wanted["workdir"] == container["workingDir"]
        else:
            values = yaml.safe_load((CHART / f"values-{name}.yaml").read_text())
            assert wanted["image"] == values["config"]["devMode"]["api"]["image"]


def test_deploy_toml_names_what_is_there():
    images = tomllib.loads((CHART / "deploy.toml").read_text())["images"]
    assert {image["name"] for image in images} == {"sidereal"}
    for image in images:
        assert (ROOT / image["context"] / image["dockerfile"]).is_file()
        assert all((ROOT / path).exists() for path in image["paths"])
        assert f" AS {image['target']}" in (ROOT / image["dockerfile"]).read_text()
        assert {"repository", "tag", "digest"} <= yaml.safe_load((CHART / "values.yaml").read_text())[image["value_key"]].keys()
        # All that goes into the image names it, but for what is never in it.
        taken = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        assert taken <= set(image["paths"])


@pytest.mark.parametrize("name", ["production", "staging", "dev1", "dev2"])
def test_environments_are_what_the_values_say(name):
    environment = tomllib.loads((CHART / f"environments/{name}.toml").read_text())
    assert environment.keys() == {"context", "namespace", "registry", "domain"}
    assert environment["namespace"] == SETS[name][1]
    (settings,) = [one["data"] for one in of_kind(objects(name), "ConfigMap") if "SIDEREAL_PUBLIC_URL" in one["data"]]
    assert settings["SIDEREAL_PUBLIC_URL"] == f"https://{environment['domain']}"
    values = yaml.safe_load((CHART / f"values-{name}.yaml").read_text())
    assert values["image"]["repository"] == f"{environment['registry']}/sidereal"


def test_a_migration_ends_before_those_who_wait_for_it_give_up():
    """Else it would change the schema when the release has been rolled back."""
    (job,) = [one for one in of_kind(objects("production"), "Job") if one["metadata"]["name"].endswith("-migrate")]
    said = subprocess.run([BINARY, "deploy", "--help"], capture_output=True, text=True, check=True).stdout
    waits = re.findall(r"--timeout <TIME>.*?\[default: (\d+m)\]", said, re.S)
    assert len(waits) == 1
    for file in [*(ROOT / "docs").glob("*.md"), *(ROOT / ".github/workflows").glob("*.yml")]:
        waits += re.findall(r"--timeout[ =](\d+m)", file.read_text())
    assert len(waits) > 3
    for wait in waits:
        assert job["spec"]["activeDeadlineSeconds"] <= int(wait.removesuffix("m")) * 60 - 60, wait


def test_what_the_documents_name_is_there():
    """Commands for Okteto, Docker and its terminals, which no test can run."""
    text = (ROOT / "docs/deploying.md").read_text()
    commands = re.findall(r"okteto (up|down) -f (okteto/okteto-\S+) -n (\S+?)(?: ([a-z0-9-]+))?[`\n]", text)
    assert len(commands) >= 5
    for command, file, namespace, service in commands:
        name = namespace.removeprefix("sidereal-")
        assert file == f"okteto/okteto-{name}.yml" and namespace == SETS[name][1]
        assert service in dev(name) if command == "up" else service == ""
    # The table of ports: web app and debugger, API and metrics, what is reached from the pod, ssh.
    rows = re.findall(r"^\| ([^|]+) \| ([\d, ]+) \| ([\d, ]+) \|$", text, re.M)
    assert len(rows) == 4
    for name, column in (("dev1", 1), ("dev2", 2)):
        web, api = dev(name)[f"sidereal-{name}-web-dev"], dev(name)[f"sidereal-{name}-api"]
        local = [[entry.split(":")[0] for entry in service["forward"]] for service in (web, api)]
        local += [[entry.split(":")[1] for entry in api["reverse"]], [str(web["remote"]), str(api["remote"])]]
        assert [row[column].split(", ") for row in rows] == local
    dockerfile = (ROOT / "Dockerfile").read_text()
    for target in re.findall(r"--target (\w+)", text):
        assert re.search(rf" AS {target}$", dockerfile, re.M), target
    assert "cargo watch -w src" in text and "cargo install --locked \"cargo-watch@" in dockerfile
    scripts = json.loads((ROOT / "web-app/package.json").read_text())["scripts"]
    assert set(re.findall(r"`?npm run (\w+)", text)) <= scripts.keys()
    for path in re.findall(r"`((?:charts|okteto|tests|web-app|\.github)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_documents_calls_of_deploy_are_understood():
    """As they stand, dry: nothing is built, pushed or asked for."""
    text = (ROOT / "docs/deploying.md").read_text()
    calls = set(re.findall(r"sidereal deploy (sidereal(?: --[a-z-]+(?: (?:dev\d|staging|production))?)*)", text))
    assert {"sidereal --env dev2 --no-setup --build --push --deploy", "sidereal --build --push --deploy", "sidereal"} <= calls
    environment = {**os.environ, "PATH": f"{chart.TOOLS}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": os.devnull}
    environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT)}
    for call in calls:
        done = subprocess.run([BINARY, "deploy", *call.split(), "--dry-run"], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{call}: {done.stderr}"
    said = subprocess.run([BINARY, "deploy", "--help"], capture_output=True, text=True, check=True).stdout
    for word in ("rollback", "status", "list", "changed", "plan"):
        assert re.search(rf"^ +{word}\b", said, re.M) and f"`{word}`" in text + "`rollback`"


def argo(name):
    return yaml.safe_load((ROOT / f"charts/argocd/{name}.yaml").read_text())


@pytest.mark.parametrize(("name", "values"), [("sidereal", "production"), ("sidereal-dev1", "dev1"), ("sidereal-dev2", "dev2")])
def test_argo_cd_installs_the_sets(name, values):
    application = argo(name)
    release, namespace, files = SETS[values]
    source = application["spec"]["source"]
    assert application["metadata"]["name"] == source["helm"]["releaseName"] == release
    assert application["spec"]["destination"]["namespace"] == namespace
    assert ROOT / source["path"] == CHART
    assert [f"charts/sidereal/{file}" for file in source["helm"]["valueFiles"]] == ["charts/sidereal/values.yaml", *files]
    project = argo("project")["spec"]
    assert source["repoURL"] in project["sourceRepos"]
    assert application["spec"]["destination"] in project["destinations"]
    if values == "production":
        assert source["targetRevision"] == f"v{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"
        assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    else:
        # Okteto changes the deployments, and must not be undone.
        assert source["targetRevision"] == "main" and "automated" not in application["spec"]["syncPolicy"]
        (ignored,) = application["spec"]["ignoreDifferences"]
        assert set(ignored["jsonPointers"]) == {"/spec/replicas", "/metadata/annotations", "/metadata/labels"}


def test_argo_cd_s_project_allows_what_the_chart_makes_and_no_more():
    made = {(one["apiVersion"].rpartition("/")[0], one["kind"]) for name in SETS for one in objects(name)}
    allowed = {(one["group"], one["kind"]) for one in argo("project")["spec"]["namespaceResourceWhitelist"]}
    assert made == allowed


def test_the_chart_is_the_server_s_version():
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == package["version"]


def test_a_package_of_the_chart_renders_the_same(tmp_path):
    chart.helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("sidereal-*.tgz")
    release, namespace, _ = SETS["all-on"]
    assert chart.helm("template", release, package, "--namespace", namespace, *chart.value_files("all-on")) == chart.rendered("all-on")
