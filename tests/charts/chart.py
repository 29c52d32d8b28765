"""The chart as the tests see it: sets of values, and what the real Helm makes of them."""

import functools
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "charts/sidereal"
TOOLS = pathlib.Path(os.environ.get("SIDEREAL_TEST_KUBERNETES", ""))
VENV = ROOT / "target/venv-charts"

# The sets of values: release, namespace, files beside values.yaml.
SETS = {
    "default": ("sidereal", "default", []),
    "production": ("sidereal", "sidereal", ["charts/sidereal/values-production.yaml"]),
    "staging": ("sidereal", "sidereal-staging", ["charts/sidereal/values-staging.yaml"]),
    "dev1": ("sidereal-dev1", "sidereal-dev1", ["charts/sidereal/values-dev1.yaml"]),
    "dev2": ("sidereal-dev2", "sidereal-dev2", ["charts/sidereal/values-dev2.yaml"]),
    "all-on": ("everything", "sky", ["tests/charts/values/all-on.yaml"]),
    "all-off": ("nothing", "sky", ["tests/charts/values/all-off.yaml"]),
    "cnpg": ("sky", "sky", ["tests/charts/values/cnpg.yaml"]),
    "gateway": ("sky", "sky", ["tests/charts/values/gateway.yaml"]),
}


def tool(name, *arguments, **options):
    """Runs one of the tools; its output is in the answer, and its exit code is the caller's to judge."""
    return subprocess.run([TOOLS / name, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


def helm(*arguments, **options):
    """Runs Helm, which must succeed, and returns what it says."""
    done = tool("helm", *arguments, **options)
    assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


def value_files(name):
    return [argument for file in SETS[name][2] for argument in ("--values", ROOT / file)]


@functools.cache
def rendered(name):
    """The text of a set's manifests."""
    release, namespace, _ = SETS[name]
    return helm("template", release, CHART, "--namespace", namespace, *value_files(name))


def render(*arguments, release="sidereal"):
    """The manifests of values given on the command line."""
    return parse(helm("template", release, CHART, *arguments))


def refusal(*arguments):
    """What Helm says to values that it refuses."""
    done = tool("helm", "template", "sidereal", CHART, *arguments)
    assert done.returncode != 0, f"{arguments} were not refused"
    return done.stderr


def parse(text):
    return [one for one in yaml.safe_load_all(text) if one]


@functools.cache
def objects(name):
    """A set's manifests."""
    return parse(rendered(name))


def of_kind(manifests, *kinds):
    return [one for one in manifests if one["kind"] in kinds]


def named(manifests, kind, name):
    (one,) = [one for one in of_kind(manifests, kind) if one["metadata"]["name"] == name]
    return one


def pod(manifest):
    """The pod of a Deployment or a Job."""
    return manifest["spec"]["template"]["spec"]


def with_pods(manifests):
    return of_kind(manifests, "Deployment", "Job")


def containers(manifest):
    spec = pod(manifest)
    return spec.get("initContainers", []) + spec["containers"]


def is_hook(manifest):
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def title(manifest):
    return f"{manifest['kind']} {manifest['metadata']['name']}"
