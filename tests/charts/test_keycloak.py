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


@pytest.mark.parametrize("name", NAMES)
def test_logouts_are_told_to_the_release(keycloak, name):
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "tests", "client_secret": "the tests' secret"})
    with urllib.request.urlopen(f"{keycloak}/realms/master/protocol/openid-connect/token", data=form.encode(), timeout=60) as answer:
        token = json.load(answer)["access_token"]
    status, text = get(f"{keycloak}/admin/realms/{realm_of(name)}/clients?clientId=sidereal-web", Authorization=f"Bearer {token}")
    assert status == 200, text
    (client,) = json.loads(text)
    assert client["attributes"]["backchannel.logout.url"] == f"{settings(name)['SIDEREAL_PUBLIC_URL']}/account/backchannel-logout"
