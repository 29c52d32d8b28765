"""What the chart made when somebody last looked: a change of any field of any manifest is seen, and is to be wanted.

All manifests of nine sets of values are 250 kB of YAML, most of it the same nine times. So the whole text is in git of two
that differ most in what they switch on (default.yaml, production.yaml), and of each set a list to read: a line an object
with a digest of all of it, and below it what people look for (settings, images, variables, routes). What a digest stands
for is shown by the failure: the difference to what the last commit's chart makes of the set.

    UPDATE_GOLDEN=1 python -m pytest tests/charts/test_golden.py   writes them anew
"""

import copy
import difflib
import hashlib
import json
import os
import subprocess

import pytest
import yaml

import chart
from chart import CHART, ROOT, SETS, objects, title

GOLDEN = ROOT / "tests/charts/golden"
WHOLE = ["default", "production"]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def summary(manifests):
    lines = []
    for one in manifests:
        lines.append(f"{title(one)} {digest(json.dumps(one, sort_keys=True))}")
        if chart.is_hook(one):
            lines[-1] += f" [{one['metadata']['annotations']['helm.sh/hook']}]"
        for container in chart.containers(one) if one in chart.with_pods(manifests) else []:
            variables = " ".join(variable["name"] for variable in container.get("env", []))
            words = " ".join(container.get("command", []) + container.get("args", []))
            lines.append(f"    {container['name']}: {container['image']} {words} | {variables}")
        if one["kind"] == "ConfigMap":
            lines += [f"    {key}" + (f": {value}" if "\n" not in value else "") for key, value in one["data"].items()]
        if one["kind"] == "Ingress":
            (rule,) = one["spec"]["rules"]
            lines += [f"    {rule['host']}{path['path']} -> {path['backend']['service']['name']}" for path in rule["http"]["paths"]]
    return "\n".join(lines) + "\n"


def whole(manifests):
    """All of it, but of the dashboard, which is a file of the chart's as it stands, a digest."""
    manifests = copy.deepcopy(manifests)
    for one in chart.of_kind(manifests, "ConfigMap"):
        if one["metadata"]["name"].endswith("-dashboard"):
            one["data"] = {key: digest(value) for key, value in one["data"].items()}
    return yaml.safe_dump_all(manifests, sort_keys=True, width=120)


def difference(before, after, name):
    return "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), name, "now"))


def last_commit(name, folder):
    """What the chart of the last commit makes of a set; nothing where there is no git."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD", "charts/sidereal", "tests/charts/values"], capture_output=True)
    if archive.returncode != 0:
        return None
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    release, namespace, files = SETS[name]
    values = [argument for file in files for argument in ("--values", folder / file)]
    done = chart.tool("helm", "template", release, folder / "charts/sidereal", "--namespace", namespace, *values)
    return whole(chart.parse(done.stdout)) if done.returncode == 0 else None


def compare(file, text):
    """The difference to what is in git, if there is one."""
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / file).write_text(text)
    return difference((GOLDEN / file).read_text(), text, f"golden/{file}")


@pytest.mark.parametrize("name", SETS)
def test_golden(name, tmp_path):
    changed = compare(f"{name}.txt", summary(objects(name)))
    if name in WHOLE:
        changed += compare(f"{name}.yaml", whole(objects(name)))
    elif changed and (before := last_commit(name, tmp_path)):
        changed += difference(before, whole(objects(name)), f"{name}, by the last commit's chart")
    assert not changed, f"{name} has changed; if that is wanted: UPDATE_GOLDEN=1\n{changed}"


def leaves(node, path=()):
    """The paths of all values that hold no others."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("name", SETS)
def test_a_change_of_any_field_would_be_seen(name):
    for one in objects(name):
        before = summary([one])
        for path in leaves(one):
            other = copy.deepcopy(one)
            parent = other
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = "changed"
            assert summary([other]) != before, f"{title(one)}: {path}"


def test_what_a_digest_stands_for_is_shown(tmp_path):
    before = last_commit("dev1", tmp_path)
    if before is None:
        pytest.skip("no git here")
    changed = copy.deepcopy(objects("dev1"))
    pod = chart.pod(chart.named(changed, "Deployment", "sidereal-dev1-api"))
    pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = "perhaps"
    assert "+          readOnlyRootFilesystem: perhaps" in difference(before, whole(changed), "dev1")
