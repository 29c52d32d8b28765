"""DaCHS (Debian: python3-gavo), the peer: a UWS server that also keeps its jobs in PostgreSQL, with one echo service.

As root: DaCHS wants users and a group of its own, which are made if they are missing.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from cluster import free_port

GROUP, ADMINISTRATOR, SERVER = "gavo", "dachsroot", "gavo"
# How long it may take to answer, seconds.
PATIENCE = 120

SERVICE = """<resource schema="echo">
  <meta name="title">Echo</meta>
  <meta name="description">Sleeps, then says so</meta>
  <meta name="creationDate">2026-01-01T00:00:00Z</meta>
  <meta name="subject">benchmarks</meta>
  <service id="run" allowed="async">
    <meta name="shortName">echo</meta>
    <pythonCore>
      <inputTable>
        <inputKey name="SLEEP" type="double precision" multiplicity="single" required="False"/>
      </inputTable>
      <coreProc>
        <setup imports="time"/>
        <code>
          time.sleep(inputTable.args.get("SLEEP") or 0)
          return ("text/plain", b"slept")
        </code>
      </coreProc>
    </pythonCore>
  </service>
</resource>
"""

SETTINGS = """[general]
rootDir: {root}
gavoGroup: {group}
[web]
serverPort: {port}
bindAddress: 127.0.0.1
serverURL: http://127.0.0.1:{port}
user: {server}
[async]
maxUserUWSRunningDefault: 8
"""


def make_users():
    def there(database, name):
        return subprocess.run(["getent", database, name], stdout=subprocess.DEVNULL).returncode == 0

    if not there("group", GROUP):
        subprocess.run(["groupadd", "--system", GROUP], check=True)
    for user in {ADMINISTRATOR, SERVER}:
        if not there("passwd", user):
            subprocess.run(["useradd", "--system", "--gid", GROUP, "--no-create-home", user], check=True)


class Dachs:
    """`with Dachs(cluster) as dachs:`; `dachs.jobs` is the URL of its job list."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.process = None
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sidereal-bench-dachs-", dir="/var/tmp"))
        self.root = self.home / "root"
        self.port = free_port()
        self.jobs = f"http://127.0.0.1:{self.port}/echo/q/run/async"

    def __enter__(self):
        try:
            self._set_up()
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _set_up(self):
        make_users()
        self.home.chmod(0o755)
        inputs = self.root / "inputs" / "echo"
        inputs.mkdir(parents=True)
        (inputs / "q.rd").write_text(SERVICE)
        subprocess.run(["chown", "-R", f"{ADMINISTRATOR}:{GROUP}", self.root], check=True)
        settings = self.home / "gavorc"
        settings.write_text(SETTINGS.format(root=self.root, group=GROUP, port=self.port, server=SERVER))
        self.environment = {**os.environ, "GAVOSETTINGS": str(settings), "HOME": str(self.root)}
        self.cluster.psql(f"CREATE ROLE {ADMINISTRATOR} SUPERUSER LOGIN", f"CREATE DATABASE gavo OWNER {ADMINISTRATOR}")
        self._dachs("init", "-d", f"host=127.0.0.1 port={self.cluster.port} dbname=gavo user={ADMINISTRATOR}")
        self._dachs("imp", "//uws", "enable_useruws")
        self._dachs("imp", "-m", "echo/q")

    def _command(self, *arguments):
        return ["runuser", "-u", ADMINISTRATOR, "--preserve-environment", "--", "/usr/bin/dachs", *arguments]

    def _dachs(self, *arguments):
        ended = subprocess.run(
            self._command(*arguments),
            env=self.environment,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if ended.returncode:
            raise SystemExit(f"dachs {' '.join(arguments)}: {ended.stdout[-2000:]}")

    def _serve(self):
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(
                self._command("serve", "debug"),
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(self.jobs, timeout=5).close()
                return
            except (OSError, urllib.error.URLError):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit("dachs serve: " + (self.home / "log").read_text()[-2000:])
                time.sleep(0.5)

    def version(self):
        # `dachs --version` asks for a database.
        return subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", "python3-gavo"], capture_output=True, text=True
        ).stdout or "?"

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
