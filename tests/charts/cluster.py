"""A Kubernetes control plane of the real programs, on loopback; kwok plays one node and its pods, and pulls nothing.

    python tests/charts/cluster.py COMMAND…   runs the command with KUBECONFIG pointing at one of its own, which ends with it

The tools come from tests/setup/kubernetes.sh, by SIDEREAL_TEST_KUBERNETES.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

TOOLS = pathlib.Path(os.environ.get("SIDEREAL_TEST_KUBERNETES", ""))
HERE = pathlib.Path(__file__).parent
# Until something is there; a busy machine takes its time.
PATIENCE = 120

# A pod of this image stays unready; see missing.yaml.
IS_MISSING = '.spec.containers.[] | select( .image | endswith(":missing") ) | .name'

# A node that kwok plays, and volumes for claims: there is no provisioner.
OBJECTS = """
apiVersion: v1
kind: Node
metadata:
  name: node
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kubernetes.io/hostname: node, kubernetes.io/arch: amd64, topology.kubernetes.io/zone: a}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: Immediate
"""
VOLUME = """
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: volume-{number}}}
spec:
  capacity: {{storage: 100Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  persistentVolumeReclaimPolicy: Retain
  hostPath: {{path: /nowhere}}
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


class Cluster:
    """Starts it; `stop` ends it and leaves nothing."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sidereal-kubernetes."))
        self.kubeconfig = self.home / "kubeconfig"
        self.processes = []
        try:
            self._start()
        except BaseException:
            for log in self.home.glob("*.log"):
                print(f"== {log.name}", log.read_text()[-2000:], sep="\n", file=sys.stderr)
            self.stop()
            raise

    def _run(self, name, *arguments):
        log = (self.home / f"{name}.log").open("w")
        # A group of its own: an interrupted test run ends it by `stop`, in order.
        self.processes.append(subprocess.Popen([TOOLS / name, *arguments], stdout=log, stderr=log, cwd=self.home, start_new_session=True))

    def _start(self):
        etcd, peer, api, manager, scheduler, kwok = free_ports(6)
        self._run("etcd", "--data-dir", "etcd", "--unsafe-no-fsync", "--listen-client-urls", f"http://127.0.0.1:{etcd}",
                  "--advertise-client-urls", f"http://127.0.0.1:{etcd}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                  "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                  "--initial-cluster", f"default=http://127.0.0.1:{peer}", "--log-level", "error")
        token = secrets.token_hex(16)
        (self.home / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
        key = self.home / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            # Its certificate is made when it starts, for nobody but us.
            "clusters": [{"name": "tests", "cluster": {"server": f"https://127.0.0.1:{api}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        }))
        self._run("kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{etcd}", "--bind-address", "127.0.0.1",
                  "--advertise-address", "127.0.0.1", "--secure-port", str(api), "--cert-dir", "certificates",
                  "--authorization-mode", "Node,RBAC", "--token-auth-file", "tokens.csv", "--endpoint-reconciler-type", "none",
                  "--service-account-issuer", "https://tests", "--service-account-key-file", str(key),
                  "--service-account-signing-key-file", str(key), "--service-cluster-ip-range", "10.96.0.0/16")
        self._await(f"https://127.0.0.1:{api}/readyz", token)
        config = ["--kubeconfig", str(self.kubeconfig)]
        self._run("kube-controller-manager", *config, "--leader-elect=false", "--use-service-account-credentials",
                  "--service-account-private-key-file", str(key), "--bind-address", "127.0.0.1", "--secure-port", str(manager))
        self._run("kube-scheduler", *config, "--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port", str(scheduler))
        stages = [argument for file in [*self._stages(), HERE / "missing.yaml"] for argument in ("--config", str(file))]
        self._run("kwok", *config, "--manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake",
                  "--server-address", f"127.0.0.1:{kwok}", *stages)
        self.apply(OBJECTS + "".join(VOLUME.format(number=number) for number in range(12)))
        self.kubectl("wait", "--for=condition=Ready", "node/node", f"--timeout={PATIENCE}s")
        room = {"cpu": "64", "memory": "256Gi", "pods": "200", "ephemeral-storage": "1Ti"}
        self.kubectl("patch", "node", "node", "--subresource=status", "--type=merge",
                     "--patch", json.dumps({"status": {"capacity": room, "allocatable": room}}))
        self.until("the default service account", lambda: self.kubectl("get", "serviceaccount", "default", check=False).returncode == 0)

    def _stages(self):
        """kwok's own, in which no pod with a missing image gets ready."""
        for file in sorted((TOOLS / "stages").iterdir()):
            stage = yaml.safe_load(file.read_text())
            if stage["metadata"]["name"] == "pod-ready":
                stage["spec"]["selector"]["matchExpressions"].append({"key": IS_MISSING, "operator": "DoesNotExist"})
            target = self.home / file.name
            target.write_text(yaml.safe_dump(stage))
            yield target

    def _await(self, url, token):
        context = ssl._create_unverified_context()
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})

        def ready():
            try:
                with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                    return answer.status == 200
            except (OSError, urllib.error.URLError):
                return False

        self.until("the API server", ready)

    def until(self, what, done):
        """Waits for something of the control plane's."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            ended = [one.args[0].name for one in self.processes if one.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come" + (f"; ended: {ended}" if ended else ""))
            time.sleep(0.1)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def environment(self):
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "HELM_CACHE_HOME": str(self.home / "helm"),
                "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}

    def run(self, name, *arguments, check=True, **options):
        """One of the tools against this cluster."""
        done = subprocess.run([TOOLS / name, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                              env=self.environment(), **options)
        assert not check or done.returncode == 0, f"{name} {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
        return done

    def kubectl(self, *arguments, **options):
        return self.run("kubectl", *arguments, **options)

    def helm(self, *arguments, **options):
        return self.run("helm", *arguments, **options)

    def apply(self, text, *arguments, **options):
        return self.kubectl("apply", "--server-side", "-f", "-", *arguments, input=text, **options)


def main(command):
    cluster = Cluster()

    def end(number, _frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        return subprocess.run(command, env=cluster.environment()).returncode
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
