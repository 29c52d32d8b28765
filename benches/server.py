"""A running Sidereal, and the least of a client."""

import http.client
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

READY = "listening on "
PHASE = re.compile(r"<uws:phase>(\w+)<")
ENDED = ("COMPLETED", "ERROR", "ABORTED", "ARCHIVED")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """One kept-alive connection to a UWS server."""

    def __init__(self, address):
        self.address = address
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=120)

    def ask(self, method, url, body=None, headers=None):
        """Status, Location, body. `url` may be a path."""
        target = urllib.parse.urlsplit(url)
        path = target.path + ("?" + target.query if target.query else "")
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, body, {**(FORM if body else {}), **(headers or {})})
                answer = self.connection.getresponse()
                return answer.status, answer.getheader("Location"), answer.read()
            except (http.client.HTTPException, ConnectionError):
                # The server may close a connection that idled.
                self.connection.close()
                if attempt == 2:
                    raise

    def get_bytes(self, url):
        status, _, body = self.ask("GET", url)
        if status != 200:
            raise SystemExit(f"GET {url}: {status} {body[:300]}")
        return body

    def get(self, url):
        return self.get_bytes(url).decode()

    def post(self, url, parameters):
        """The URL that the server sends on to."""
        status, location, body = self.ask("POST", url, urllib.parse.urlencode(parameters))
        if status != 303 or not location:
            raise SystemExit(f"POST {url}: {status} {body[:300]}")
        return urllib.parse.urljoin(self.address, location)


class Server(Client):
    """`with Server(BINARY) as server:`; over SQLite, or the database of `database`; its data in memory at `data`."""

    def __init__(self, binary, data=None, database=None):
        self.home = pathlib.Path(data or tempfile.mkdtemp(prefix="sidereal-bench-", dir="/dev/shm"))
        self.home.mkdir(exist_ok=True)
        self.binary = str(pathlib.Path(binary).resolve())
        # Nothing of the caller's settings.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("SIDEREAL_")}
        self.environment |= {"SIDEREAL_LISTEN": "127.0.0.1:0", "SIDEREAL_DATA_DIR": str(self.home)}
        self.environment |= {"SIDEREAL_LOG__LEVEL": "warn"}
        if database:
            self.environment["SIDEREAL_DATABASE_URL"] = database
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.binary, "serve"],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if READY in line:
                # The log goes on: an unread pipe would stop the server.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                super().__init__(line.split(READY)[1].split()[0].rstrip("/"))
                return self
        self.__exit__()
        raise SystemExit("the server ended: " + "".join(said))

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def command(self, *arguments):
        """Runs the binary beside the server, with its settings."""
        subprocess.run(
            [self.binary, *map(str, arguments)],
            cwd=self.home,
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def create(self, service, parameters):
        return self.post(f"{self.address}/api/{service}/async", parameters)

    def delete(self, job):
        self.ask("DELETE", job)

    def wait(self, job):
        """The phase that a job ends in, waited for as UWS 1.1 has it."""
        while (phase := PHASE.search(self.get(job + "?WAIT=60"))[1]) not in ENDED:
            pass
        return phase

    def memory(self):
        """Resident bytes."""
        return self.status("VmRSS")

    def peak(self):
        """The most resident bytes since the start, or since it was told to forget them."""
        return self.status("VmHWM")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def status(self, name):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise SystemExit(f"no {name}")
