"""The realms of the environments in one real Keycloak, and the real server with what the chart gives it."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from chart import of_kind, objects
from test_operating import blocks
from test_server import BINARY, SECRETS, environment, free_ports, servers

# As tests/setup/keycloak.sh says: nothing where there is none, which it has said loudly.
DISTRIBUTION = os.environ.get("SIDEREAL_TEST_KEYCLOAK", "")
# Those that share a Keycloak.
NAMES = ["dev1", "dev2", "cnpg"]
PUBLIC = "https://login.example.org"
SECRET = SECRETS["SIDEREAL_AUTH__CLIENT_SECRET"]


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory):
    """One that imports the ConfigMaps' files, as its folder of imports has them; where the cluster reaches it."""
    if not DISTRIBUTION:
        assert not os.environ.get("CI"), "SIDEREAL_TEST_KEYCLOAK is not set"
        pytest.skip("no Keycloak here: tests/setup/keycloak.sh brings it")
    home = tmp_path_factory.mktemp("keycloak")
    (home / "bin").mkdir()
    # The script takes for home what it is really in.
    shutil.copy(pathlib.Path(DISTRIBUTION, "bin/kc.sh"), home / "bin")
    for name in ("conf", "lib", "providers", "themes"):
        (home / name).symlink_to(pathlib.Path(DISTRIBUTION, name))
    (home / "data/import").mkdir(parents=True)
    for name in NAMES:
        (realm,) = [one["data"] for one in of_kind(objects(name), "ConfigMap") if one["metadata"]["name"].endswith("-realm")]
        for file, text in realm.items():
            assert not (home / "data/import" / file).exists(), "one would hide the other"
            (home / "data/import" / file).write_text(text)
    (port,) = free_ports(1)
    server = subprocess.Popen(
        ["sh", home / "bin/kc.sh", "start", "--optimized", "--cache=local", "--import-realm", "--http-enabled=true",
         "--http-host=127.0.0.1", f"--http-port={port}", f"--hostname={PUBLIC}", "--hostname-backchannel-dynamic=true"],
        env={**os.environ, "SIDEREAL_WEB_SECRET": SECRET, "SIDEREAL_WORKER_SECRET": "the worker's secret",
             "KC_BOOTSTRAP_ADMIN_CLIENT_ID": "tests", "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": "the tests' secret",
             "JAVA_OPTS_KC_HEAP": "-Xms256m -Xmx512m", "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if "Listening on: " in line:
                break
        else:
            raise RuntimeError("Keycloak did not start:\n" + "".join(said))
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


def settings(name):
    (found,) = [one["data"] for one in of_kind(objects(name), "ConfigMap") if "SIDEREAL_PUBLIC_URL" in one["data"]]
    return found


def realm_of(name):
    return settings(name)["SIDEREAL_AUTH__ISSUER"].removeprefix(f"{PUBLIC}/realms/")


def test_each_environment_has_a_realm_of_its_own():
    assert len({realm_of(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_server_s_check_up_finds_its_realm_and_its_client(keycloak, name, tmp_path):
    """`sidereal doctor`, with the variables of the pod: the issuer is the realm's, and its secret lets the client in."""
    variables = environment(name, servers(name)[0], tmp_path)
    variables["SIDEREAL_AUTH__INTERNAL_URL"] = f"{keycloak}/realms/{realm_of(name)}"
    variables["SIDEREAL_RESULTS_URL"] = f"file://{tmp_path}/results"
    done = subprocess.run([BINARY, "doctor"], env={"PATH": os.environ["PATH"], **variables}, cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)
    assert "sidereal-web is let in by its secret" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.mark.parametrize("name", NAMES)
def test_logins_come_back_to_the_release_alone(keycloak, name):
    for other in NAMES:
        query = urllib.parse.urlencode({
            "response_type": "code", "client_id": "sidereal-web", "scope": "openid", "state": "s", "nonce": "n",
            "redirect_uri": f"{settings(other)['SIDEREAL_PUBLIC_URL']}/account/callback",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"})
        status, page = get(f"{keycloak}/realms/{realm_of(name)}/protocol/openid-connect/auth?{query}")
        assert (status, "kc-form-login" in page) == ((200, True) if other == name else (400, False)), other


def administer(keycloak, path):
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "tests", "client_secret": "the tests' secret"})
    with urllib.request.urlopen(f"{keycloak}/realms/master/protocol/openid-connect/token", data=form.encode(), timeout=60) as answer:
        token = json.load(answer)["access_token"]
    status, text = get(f"{keycloak}/admin/realms/{path}", Authorization=f"Bearer {token}")
    assert status == 200, text
    return json.loads(text)


@pytest.mark.parametrize("name", NAMES)
def test_logouts_are_told_to_the_release(keycloak, name):
    (client,) = administer(keycloak, f"{realm_of(name)}/clients?clientId=sidereal-web")
    assert client["attributes"]["backchannel.logout.url"] == f"{settings(name)['SIDEREAL_PUBLIC_URL']}/account/backchannel-logout"


def test_the_documents_commands(keycloak, tmp_path):
    """Last: those that make a realm and a first user, where nothing was."""
    programs = {"kcadm.sh": f"exec sh '{DISTRIBUTION}/bin/kcadm.sh' \"$@\""}
    (realm,) = [one["data"] for one in of_kind(objects("dev2"), "ConfigMap") if one["metadata"]["name"] == "sidereal-dev2-realm"]
    # It has one answer to one question.
    question = r"--namespace sidereal-dev2 get configmap sidereal-dev2-realm --output jsonpath={.data.sidereal-dev2\.json}"
    programs["kubectl"] = f"[ \"$*\" = '{question}' ] && cat realm"
    for program, text in programs.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    (tmp_path / "realm").write_text(realm["sidereal-dev2.json"])
    _, make_realm = blocks("deploying.md", "Developing on Kubernetes")
    (make_user,) = blocks("deploying.md", "On a laptop")
    script = f"""
        kcadm.sh config credentials --server {keycloak} --realm master --client tests --secret "the tests' secret"
        kcadm.sh delete realms/sidereal-dev2
        {make_realm}
        {make_user.replace(" -r sidereal ", " -r sidereal-dev2 ")}"""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    (client,) = administer(keycloak, "sidereal-dev2/clients?clientId=sidereal-web")
    secret = administer(keycloak, f"sidereal-dev2/clients/{client['id']}/client-secret")
    assert secret["value"] == "SECRET OF sidereal-web"
    (api,) = administer(keycloak, "sidereal-dev2/clients?clientId=sidereal-api")
    (user,) = administer(keycloak, "sidereal-dev2/users?username=astronomer")
    roles = administer(keycloak, f"sidereal-dev2/users/{user['id']}/role-mappings/clients/{api['id']}")
    assert [role["name"] for role in roles] == ["admin"]
