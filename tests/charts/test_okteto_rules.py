"""The rules that Okteto's open-source client and its plain-cluster mode have for manifests; and that both files get along."""

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
FILES = {name: ROOT / f"okteto/okteto-{name}.yml" for name in ("dev1", "dev2")}
every_file = pytest.mark.parametrize("name", FILES)

# Of `dev.<name>`, in its manifest of version 2.
KEYS = {
    "affinity", "autocreate", "command", "container", "environment", "envFiles", "externalVolumes", "forward", "initContainer",
    "interface", "image", "imagePullPolicy", "lifecycle", "metadata", "mode", "nodeSelector", "persistentVolume",
    "priorityClassName", "probes", "remote", "replicas", "resources", "reverse", "secrets", "securityContext", "selector",
    "serviceAccount", "services", "sync", "timeout", "tolerations", "volumes", "workdir",
}


def dev(name):
    return yaml.safe_load(FILES[name].read_text())["dev"]


def test_there_is_one_for_each_environment():
    assert {file.name for file in (ROOT / "okteto").iterdir()} == {file.name for file in FILES.values()}


@every_file
def test_only_dev(name):
    """Without a server of Okteto's, `up` refuses every other key; namespace and context are none of its keys at all."""
    assert list(yaml.safe_load(FILES[name].read_text())) == ["dev"]
    for service in dev(name).values():
        assert service.keys() <= KEYS, service.keys() - KEYS


@every_file
def test_forms_of_values(name):
    for service in dev(name).values():
        for forward in service.get("forward", []):
            assert re.fullmatch(r"\d+:\d+", forward), forward
        for reverse in service.get("reverse", []):
            assert re.fullmatch(r"\d+:\d+", reverse), reverse
        assert re.fullmatch(r"\d+(h|m|s)", service["timeout"])
        for amounts in service["resources"].values():
            assert all(isinstance(amount, str) for amount in amounts.values()), "cpu and memory are texts"
        assert service["securityContext"]["runAsUser"] == service["securityContext"]["fsGroup"] == 1000
        assert service["securityContext"]["readOnlyRootFilesystem"] is False


@every_file
def test_volumes_are_the_chart_s(name):
    """Okteto mounts its own where it syncs, beside what is mounted there already; two at one place make no pod."""
    for service in dev(name).values():
        assert service["persistentVolume"] == {"enabled": False}
        # What needs them.
        assert not {"volumes", "services"} & service.keys()
        folders = [(FILES[name].parent / sync.split(":")[0]).resolve() for sync in service["sync"]]
        assert not [1 for one in folders for other in folders if one != other and one.is_relative_to(other)]


@every_file
def test_synced_folders_are_there_and_say_what_stays(name):
    for service in dev(name).values():
        for sync in service["sync"]:
            local, remote = sync.split(":")
            folder = (FILES[name].parent / local).resolve()
            assert folder.is_dir() and remote.startswith("/") and remote != "/"
            # Without one the client stops and asks.
            lines = (folder / ".stignore").read_text().splitlines()
            assert ".git" in lines
            assert not [line for line in lines if line.startswith("#include") or line.startswith("(?d)")]
    own = set((ROOT / ".stignore").read_text().splitlines())
    assert {"/target", "/data", "node_modules", "web-app/dist", ".env*"} <= own
    # Without a slash they would be left out wherever they are: so would the data of tests.
    assert own.isdisjoint({"target", "data"})
    assert {"node_modules", "dist"} <= set((ROOT / "web-app/.stignore").read_text().splitlines())


def test_ports_of_one_s_own_machine_do_not_collide():
    taken = []
    for name in FILES:
        for service in dev(name).values():
            taken += [int(forward.split(":")[0]) for forward in service.get("forward", [])]
            taken += [int(reverse.split(":")[1]) for reverse in service.get("reverse", [])]
            taken.append(service["remote"])
    assert len(taken) == len(set(taken)), sorted(taken)
    api, web = dev("dev2")["sidereal-dev2-api"], dev("dev2")["sidereal-dev2-web-dev"]
    assert "8084:8080" in api["forward"] and "9000:9001" in api["reverse"]
    assert web["forward"] == ["3000:3000", "9229:9229"]
