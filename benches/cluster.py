"""A PostgreSQL server of the measurement's own, with durable commits, on loopback; gone at the end."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


# Asked to end, a measurement still stops what it has started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def programs():
    """The folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    if found:
        return pathlib.Path(found).resolve().parent
    return max(
        pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )


class Cluster:
    """`with Cluster() as cluster:`; fsync and synchronous_commit are on, as a server of jobs needs them."""

    def __init__(self):
        # Not /tmp, which may be memory: durable commits are what is measured.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sidereal-bench-", dir="/var/tmp"))
        self.port = free_port()
        self.bin = programs()
        self.run_as = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(self.home, "postgres")
            self.run_as = ["runuser", "-u", "postgres", "--"]

    def __enter__(self):
        try:
            data = self.home / "data"
            self._program("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
            settings = {
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": self.home,
                "max_connections": 100,
                "shared_buffers": "512MB",
                # No checkpoint because of size in the middle of a run.
                "max_wal_size": "8GB",
                "checkpoint_timeout": "30min",
                "fsync": "on",
                "synchronous_commit": "on",
            }
            options = " ".join(f"-c {name}={value}" for name, value in settings.items())
            self._program(
                "pg_ctl", "-D", data, "-w", "-l", self.home / "log", "-o", f"-p {self.port} {options}", "start"
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(
            [*self.run_as, self.bin / "pg_ctl", "-D", self.home / "data", "-m", "immediate", "stop"],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        shutil.rmtree(self.home, ignore_errors=True)

    def _program(self, name, *arguments):
        # Started servers keep standard output: a pipe would never end.
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(
                [*self.run_as, self.bin / name, *arguments], cwd="/", stdout=output, stderr=subprocess.STDOUT
            )
            if ended.returncode:
                output.seek(0)
                raise SystemExit(f"{name}: {output.read().decode(errors='replace')}")

    def url(self, database="postgres"):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, *statements, database="postgres"):
        """Runs each statement in a transaction of its own; gives the output of all, unaligned."""
        command = [self.bin / "psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", self.url(database)]
        # A statement may be longer than an argument can be. psql's own commands end with their line.
        text = "".join(one + ("\n" if one.startswith("\\") else ";\n") for one in statements)
        return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.strip()

    def pgbench(self, script, clients, *options, database="postgres"):
        """Transactions per second of a script, with prepared statements, connections not counted."""
        path = self.home / "script.sql"
        path.write_text(script)
        command = [self.bin / "pgbench", "-n", "-M", "prepared", "-f", path, "-c", str(clients), "-j", "2"]
        command += [*options, self.url(database)]
        ended = subprocess.run(command, capture_output=True, text=True)
        rate = re.search(r"tps = ([\d.]+) \(without", ended.stdout)
        if ended.returncode or not rate or "ERROR" in ended.stderr:
            raise SystemExit(f"pgbench: {ended.stdout}{ended.stderr}")
        return float(rate[1])

    def version(self):
        return self.psql("SHOW server_version").split()[0]

    def sync_microseconds(self):
        """How long this disk takes to make 8 KiB durable: the floor of a commit that waits for nobody else."""
        path = self.home / "sync"
        handle = os.open(path, os.O_CREAT | os.O_WRONLY)
        try:
            times = []
            for _ in range(200):
                os.pwrite(handle, os.urandom(8192), 0)
                start = time.perf_counter()
                os.fdatasync(handle)
                times.append(time.perf_counter() - start)
        finally:
            os.close(handle)
            path.unlink()
        return sorted(times)[100] * 1e6
