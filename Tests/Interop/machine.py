"""An engine on a machine of its own, whose power can be cut.

The machine is a set of namespaces: with the first process in them all others end at once, the
engine, its helpers and the containers. What is on the disk stays, what was in /run does not.
"""

import http.client
import os
import socket
import subprocess

from harness import wait_until

DOCKER = """
echo '{}' >"$FOLDER/daemon.json"
exec dockerd --host "unix://$FOLDER/engine.sock" --data-root "$FOLDER/docker" \\
    --exec-root /run/docker --pidfile /run/docker.pid --config-file "$FOLDER/daemon.json" \\
    --exec-opt native.cgroupdriver=cgroupfs
"""

# The first command is what podman-restart.service does at boot.
PODMAN = """
podman() {
    command podman --root "$FOLDER/podman" --runroot /run/podman-root --tmpdir /run/libpod "$@"
}
podman start --all --filter restart-policy=always
podman system service --time=0 "unix://$FOLDER/engine.sock"
"""


class Machine:
    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        self.socket = folder / "engine.sock"
        self.script = {"docker": DOCKER, "podman": PODMAN}[engine]
        self.process = None

    def boot(self):
        self.socket.unlink(missing_ok=True)
        self.log = open(self.folder / "engine.log", "ab")
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
             "bash", "-c", "ip link set lo up; mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/lock;"
             + self.script],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=os.environ | {"FOLDER": str(self.folder)})
        wait_until(self.answers, f"{self.engine} to answer", patience=90)

    def answers(self):
        assert self.process.poll() is None, (self.folder / "engine.log").read_text()
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(5)
                peer.connect(str(self.socket))
                connection = http.client.HTTPConnection("engine")
                connection.sock = peer
                connection.request("GET", "/_ping")
                return connection.getresponse().status == 200
        except OSError:
            return False

    def cut_power(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.process = None

    def __enter__(self):
        self.boot()
        return self

    def __exit__(self, *_):
        if self.process:
            self.cut_power()
