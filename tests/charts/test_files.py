"""Files that other programs read: Dockerfile, compose, workflows, the chart's README; and the small scripts of workflows."""

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import urllib.parse

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TOOLS = os.environ.get("SIDEREAL_TEST_KUBERNETES", "")


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, **options)


def test_the_chart_s_readme_has_every_value():
    done = run(sys.executable, ROOT / "tests/charts/readme.py", "--check")
    assert done.returncode == 0, done.stderr


def test_the_dockerfile_is_sound():
    done = run(pathlib.Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout
    text = (ROOT / "Dockerfile").read_text()
    targets = re.findall(r"^FROM .* AS (\S+)$", text, re.M)
    assert {"runtime", "debug", "dev", "binary"} <= set(targets) and targets[-1] == "runtime"
    stages = {
        name: (base, lines)
        for base, name, lines in re.findall(r"^FROM (?:--\S+ )?(\S+) AS (\S+)\n(.*?)(?=\n\nFROM|\n\n#|\Z)", text, re.S | re.M)
    }
    _, server = stages["server"]
    assert "USER 65532:65532" in server and "STOPSIGNAL SIGTERM" in server
    assert 'ENTRYPOINT ["/usr/local/bin/sidereal"]' in server and "RUN" not in server
    for target in ("runtime", "debug"):
        base, lines = stages[target]
        # The same, but for a shell.
        assert base == "server" and not re.search("RUN|USER|ENTRYPOINT|CMD", lines)
    # A tag may mean another image tomorrow.
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", text, re.M))
    for name, (base, _) in stages.items():
        base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base)
        assert base in {*stages, "scratch"} or re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base), name
    # What is compiled is compiled without a network, from what the lock file says.
    assert re.search(r"RUN --network=none [^\n]*\n[^\n]*cargo auditable build --locked --offline", text)


def test_what_the_dockerfile_copies_is_sent_to_it():
    """Each path is there, and .dockerignore, which leaves everything out, lets it in."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [path for line in re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), re.M) for path in line.split()[:-1]]
    assert "src" in copied
    # What the compiler takes in beside the sources.
    for file in (ROOT / "src").rglob("*.rs"):
        for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', file.read_text().split("#[cfg(test)]")[0]):
            taken = (file.parent / path).resolve().relative_to(ROOT)
            assert any(taken.is_relative_to(one) for one in copied), f"{file}: {taken}"
    templates = tomllib.loads((ROOT / "askama.toml").read_text())["general"]["dirs"]
    for path in ["askama.toml", *templates]:
        assert any(pathlib.PurePath(path).is_relative_to(one) for one in copied), path
    for path in copied:
        assert (ROOT / path).exists(), path
        assert any(path == one or path.startswith(one + "/") for one in allowed), path


def test_compose_listens_on_loopback():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        image = service["image"]
        assert ":" in image and not image.endswith(":latest"), image
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).exists(), volume
        assert set(service.get("depends_on", {})) <= compose["services"].keys()


def test_compose_s_parts_find_each_other():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    settings, keycloak, s3 = services["sidereal"]["environment"], services["keycloak"], services["s3"]
    database = urllib.parse.urlsplit(settings["SIDEREAL_DATABASE_URL"])
    of_postgres = services[database.hostname]["environment"]
    assert (database.username, database.password, database.path[1:], database.port or 5432) == (
        *(of_postgres[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB")), 5432)
    # A bucket is a folder of what the S3 server serves.
    endpoint, results = (urllib.parse.urlsplit(settings[key]) for key in ("AWS_ENDPOINT", "SIDEREAL_RESULTS_URL"))
    *words, kind, folder = s3["command"]
    assert services[endpoint.hostname] is s3 and kind == "posix" and endpoint.scheme == "http"
    assert dict(zip(words[::2], words[1::2])) == {
        "--access": settings["AWS_ACCESS_KEY_ID"], "--secret": settings["AWS_SECRET_ACCESS_KEY"], "--port": f":{endpoint.port}"}
    assert services["bucket"]["command"] == ["mkdir", "-p", f"{folder}/{results.netloc}"] and results.scheme == "s3"
    assert services["bucket"]["volumes"] == s3["volumes"] == [f"objects:{folder}"]
    # Keycloak is for pods what it is for browsers, and Sidereal is for Keycloak, which tells it logouts.
    realm = json.loads((ROOT / "charts/sidereal/files/realm.json").read_text())["realm"]
    issuer = urllib.parse.urlsplit(settings["SIDEREAL_AUTH__ISSUER"])
    assert services["sidereal"]["network_mode"] == "service:keycloak" and "SIDEREAL_AUTH__INTERNAL_URL" not in settings
    assert issuer.hostname == "localhost" and issuer.path == f"/realms/{realm}"
    assert {f"--http-port={issuer.port}", f"--hostname=http://{issuer.netloc}", "--import-realm"} <= set(keycloak["command"])
    assert settings["SIDEREAL_PUBLIC_URL"] == keycloak["environment"]["SIDEREAL_PUBLIC_URL"]
    assert settings["SIDEREAL_AUTH__CLIENT_SECRET"] == keycloak["environment"]["SIDEREAL_WEB_SECRET"]
    assert settings["SIDEREAL_LISTEN"].split(":")[1] == settings["SIDEREAL_PUBLIC_URL"].removeprefix("http://localhost:")
    listened = {str(issuer.port), *(settings[f"SIDEREAL_{key}"].split(":")[1] for key in ("LISTEN", "INTERNAL_LISTEN"))}
    assert {*keycloak["ports"]} == {f"127.0.0.1:{port}:{port}" for port in listened}


@pytest.mark.parametrize("file", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda file: file.name)
def test_tables_are_whole(file):
    """A blank line ends a table, and what comes after it is shown with its bars."""
    text = re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S)
    for block in re.split(r"\n\s*\n", text):
        rows = [line for line in block.strip().splitlines() if line.startswith("|")]
        assert not rows or re.fullmatch(r"[|: -]+", rows[1]), rows[0]


@pytest.mark.skipif(not TOOLS, reason="no actionlint here: tests/setup/kubernetes.sh brings it")
def test_workflows_pass_actionlint():
    done = run(pathlib.Path(TOOLS) / "actionlint", "-no-color", *WORKFLOWS)
    assert done.returncode == 0, done.stdout


def test_workflows_pass_zizmor():
    done = run(pathlib.Path(sys.executable).parent / "zizmor", "--offline", "--no-progress", *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_hold_to_what_is_pinned_and_may_do_little(file):
    text = file.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    for line in re.findall(r"uses: (?!\./)(.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    on = workflow[True]
    assert "pull_request_target" not in on
    if "pull_request" in on:
        # What strangers send: no secret, nothing that is pushed.
        assert list(on) == ["pull_request"]
        assert "secrets." not in text and "--push" not in text and "write" not in text
    for image in re.findall(r"container: (.*)", text):
        assert re.fullmatch(r"[\w.:-]+@sha256:[0-9a-f]{64}", image), image
    for job in workflow["jobs"].values():
        if "uses" in job:
            # One of these files, with no more rights than it asks for itself.
            assert (ROOT / job["uses"]) in WORKFLOWS and "secrets" not in job and "permissions" not in job
            continue
        assert "timeout-minutes" in job
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            # What others wrote comes by variables, never into the script.
            assert "${{" not in step.get("run", "") or "github.event" not in step["run"]


COMPILE = "docker buildx build --target binary --cache-from type=gha,scope=sidereal --output type=local,dest=bin \\."
CACHE = "actions/github-script"
WHOLE, SHALLOW = {"persist-credentials": False, "fetch-depth": 0}, {"persist-credentials": False}
LOGIN = r"printf .* \| docker login .* --password-stdin"
BINARY = ["actions/download-artifact", r"chmod \+x bin/sidereal"]
DIGEST = r'--set "image\.digest=\$DIGEST"'
READ = {"contents": "read", "packages": "read", "id-token": "write"}
PUSHED, BY_HAND = "github.event_name == 'push'", "github.event_name == 'workflow_dispatch'"
# What jobs are for: when, after which, with which rights and how much of git; and of each step, in order, an action or a
# whole line of its script; with a condition, if it has one.
JOBS = {
    "check.yml": {"check": (None, None, None, WHOLE, [
        "actions/checkout", "actions/setup-node", "rustup component add clippy rustfmt", "git config .* safe.directory .*", r"\.ci/run"])},
    "ci.yml": {"images": (None, None, None, WHOLE, [
        "actions/checkout", CACHE, "docker buildx create --use", COMPILE,
        r'bin/sidereal deploy --changed="\$BASE\.\.HEAD" --no-setup --build --github-cache',
        r"docker buildx build --target dev --cache-from type=gha,scope=sidereal-dev \\",
        "bin/sidereal deploy sidereal --no-setup --deploy --env staging --dry-run=client"])},
    "deploy.yml": {
        "build": (PUSHED, None, {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"}, WHOLE, [
            "actions/checkout", LOGIN, CACHE, COMPILE, "actions/upload-artifact",
            "bin/sidereal deploy sidereal --env staging --no-setup --build --push --github-cache",
            "anchore/sbom-action", "actions/attest", "actions/attest"]),
        "staging": (None, ["check", "build"], READ, WHOLE, [
            "actions/checkout", r"\.github/kube-context .*", *BINARY,
            f"bin/sidereal deploy sidereal --env staging --no-setup --deploy --test {DIGEST}",
            "bin/sidereal job submit echo .* --wait"]),
        "production": (None, ["build", "staging"], READ, WHOLE, [
            "actions/checkout", r"\.github/kube-context .*", *BINARY,
            f"bin/sidereal deploy sidereal --env production --yes --no-setup --deploy --test {DIGEST}",
            r'curl --fail .* "\$SIDEREAL_SERVER/api/v1/services"',
            ("failure() && steps.try.conclusion == 'failure'", "bin/sidereal deploy rollback sidereal --env production --yes")]),
        "compile": (BY_HAND, None, None, WHOLE, ["actions/checkout", CACHE, COMPILE, "actions/upload-artifact"]),
        "again": (None, "compile", READ, WHOLE, [
            "actions/checkout", r"\.github/kube-context .*", *BINARY,
            r'bin/sidereal deploy sidereal --env "\$ENVIRONMENT" --yes --no-setup --deploy --test --image-tag "\$TAG" --allow-older'])},
    "release.yml": {"image": (None, "check", {"contents": "write", "packages": "write"}, SHALLOW, [
        "actions/checkout", r'version=\$\(\.github/release-version "\$GITHUB_REF_NAME"\)', LOGIN, r".*--push \.",
        "helm package charts/sidereal", r'gh release create "\$GITHUB_REF_NAME" --verify-tag .*'])},
}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_jobs_do_what_they_are_for(file):
    jobs = yaml.safe_load(file.read_text())["jobs"]
    called = {name: job for name, job in jobs.items() if "uses" in job}
    if file.name != "check.yml":
        condition = PUSHED if file.name == "deploy.yml" else None
        assert [(name, job["uses"], job.get("if")) for name, job in called.items()] == [("check", "./.github/workflows/check.yml", condition)]
    assert jobs.keys() - called.keys() == JOBS[file.name].keys()
    for name, (condition, needs, rights, depth, expected) in JOBS[file.name].items():
        job = jobs[name]
        assert (job.get("if"), job.get("needs"), job.get("permissions")) == (condition, needs, rights), name
        assert len(job["steps"]) == len(expected), name
        assert [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")] == [depth], name
        for step, line in zip(job["steps"], expected):
            condition, line = line if isinstance(line, tuple) else (None, line)
            assert step.get("if") == condition, line
            assert re.search(f"^(?:{line})$", step.get("run") or step["uses"].split("@")[0], re.M), f"{name}: {line}"
        for one in (job, *job["steps"]):
            assert "continue-on-error" not in one and "||" not in one.get("run", ""), "a failure counts"


def test_what_is_compiled_once_is_what_deploys():
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    of = {action: [step["with"] for job in jobs.values() for step in job.get("steps", []) if step.get("uses", "").startswith(f"actions/{action}@")]
          for action in ("upload-artifact", "download-artifact")}
    assert {(one["name"], one["path"], one["if-no-files-found"]) for one in of["upload-artifact"]} == {("sidereal", "bin/sidereal", "error")}
    assert of["download-artifact"] == [{"name": "sidereal", "path": "bin"}] * 3
    for name, job in jobs.items():
        assert "concurrency" not in job or "buildx" not in json.dumps(job), f"{name} keeps others waiting while it compiles"


def test_production_comes_after_staging_and_one_at_a_time():
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert jobs["staging"]["needs"] == ["check", "build"] and "staging" in jobs["production"]["needs"]
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml", "nothing is deployed that no test has seen"
    for name in ("staging", "production"):
        assert jobs[name]["environment"] == name
        assert jobs[name]["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False}
    builds = [name for name, job in jobs.items() if any("--push" in step.get("run", "") for step in job.get("steps", []))]
    assert builds == ["build"], "what staging has tried is what production gets"
    for name in ("staging", "production"):
        [step] = [step for step in jobs[name]["steps"] if "--deploy" in step.get("run", "")]
        assert "image.digest=$DIGEST" in step["run"]
        assert step["env"]["DIGEST"] == "${{ needs.build.outputs.digest }}" and "build" in jobs[name]["needs"]


def test_layers_are_kept_where_no_stranger_s_get_into_what_is_pushed():
    """GitHub's cache is bounded by branches. What is written there is of one scope an image; a release takes none."""
    for file in WORKFLOWS:
        text = file.read_text()
        jobs = yaml.safe_load(text)["jobs"]
        for name, job in jobs.items():
            steps = job.get("steps", [])
            lines = [line for step in steps for line in step.get("run", "").replace("\\\n", " ").splitlines()]
            cached = [line for line in lines if "gha" in line or "--github-cache" in line]
            reach = [step for step in steps if step.get("uses", "").startswith("actions/github-script@")]
            assert bool(cached) == bool(reach), f"{file.name}: {name}"
            # The address that is needed comes before what needs it.
            assert not cached or [*map(steps.index, reach)][0] < min(i for i, step in enumerate(steps) if "buildx" in step.get("run", ""))
            for line in cached:
                assert set(re.findall(r"scope=([\w-]+)", line)) <= {"sidereal", "sidereal-dev"} and line.count("type=gha") == line.count("scope=")
            assert "type=registry" not in "".join(lines), "what is pushed is an image"
        assert file.name != "release.yml" or "gha" not in text and "--cache" not in text
    read = "".join(file.read_text() for file in WORKFLOWS)
    # Either by this command or by `--github-cache`, whose words tests/it/data/deploy has.
    assert read.count("--cache-to") == 1 and read.count("--github-cache") == 2


def test_images_say_what_they_are():
    """Those of the Dockerfile by it, and by who builds: a release here, and `sidereal deploy --build`, in tests/it/data/deploy."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM [^\n]* AS (\S+)\n(.*?)(?=^FROM|\Z)", dockerfile, re.S | re.M))
    license = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["license"]
    of = {name: dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', text)) for name, text in stages.items()}
    for name in ("server", "dev"):
        assert of[name].keys() == {"title", "licenses"} and of[name]["licenses"] == license, name
    by_hand = {"version", "revision", "created", "source"}
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    (build,) = [step["run"] for step in workflow["jobs"]["image"]["steps"] if "--push" in step.get("run", "")]
    assert set(re.findall(r'--label "org\.opencontainers\.image\.(\w+)=\$', build)) == by_hand
    deploys = (ROOT / "tests/it/data/deploy/build").read_text()
    builds = re.findall(r"^docker buildx build .*(?:\n    .*)*", deploys, re.M)
    assert len(builds) > 3 and all("{labels}" in line for line in builds)
    labels = re.search(r'"\{labels\}",\s*"([^"]*)"', (ROOT / "tests/it/deploy.rs").read_text())[1]
    assert set(re.findall(r"--label org\.opencontainers\.image\.(\w+)=", labels)) == by_hand


def test_what_main_deploys_is_signed_with_what_is_in_it():
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    signed = [step["with"] for step in jobs["build"]["steps"] if step.get("uses", "").startswith("actions/attest@")]
    assert [one.get("sbom-path") for one in signed] == ["sbom.spdx.json", None]
    assert {one["subject-digest"] for one in signed} == {"${{ steps.pushed.outputs.digest }}"}


@pytest.mark.parametrize(("tag", "says"), [
    ("v{version}", None), ("v99.0.0", "Cargo.toml is"), ("{version}", "expected vX.Y.Z"), ("v1.2", "expected vX.Y.Z"),
    ("v{version};id", "expected vX.Y.Z"),
])
def test_a_release_is_called_as_cargo_toml_has_it(tag, says):
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    done = run(ROOT / ".github/release-version", tag.format(version=version))
    if says is None:
        assert (done.returncode, done.stdout.strip()) == (0, version)
    else:
        assert done.returncode == 1 and says in done.stderr


def test_kubernetes_is_shown_github_s_token(tmp_path):
    """`kube-context credential` against a stand-in for GitHub's endpoint: what kubectl gets is its token, for our audience."""
    asked = []

    class GitHub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"value": "a.b.c"}')

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Every process of the machine can read the words of another's command.
    curl, words = tmp_path / "curl", tmp_path / "words"
    curl.write_text(f"""#!/bin/sh\necho "$@" >'{words}'\nexec '{shutil.which("curl")}' "$@"\n""")
    curl.chmod(0o755)
    done = run(ROOT / ".github/kube-context", "credential", env={
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "proof",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/token?api-version=2",
    })
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "audience" in words.read_text() and "proof" not in words.read_text()
    assert asked == [("/token?api-version=2&audience=sidereal-kubernetes", "Bearer proof")]
    credential = json.loads(done.stdout)
    assert credential["kind"] == "ExecCredential" and credential["status"] == {"token": "a.b.c"}
