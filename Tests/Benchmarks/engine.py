"""An engine's own API, which the daemons are measured against."""

import os
import socket
import struct
import subprocess
import urllib.parse

import engine_api
from harness import process_status, processor_seconds

API = f"http://engine{engine_api.VERSION}"


class Engine:
    """The engine that with-engines started: "docker" or "podman"."""

    def __init__(self, name):
        self.name = name
        self.socket = os.environ[f"CONTAINERZ_{name.upper()}_SOCKET"]
        # Who listens is who a connection's peer is.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.socket)
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            self.pid = struct.unpack("3i", credentials)[0]

    @property
    def label(self):
        """What a row's name begins with: nothing for the usual engine."""
        return "" if self.name == "docker" else f"{self.name}: "

    def curl(self, path, *arguments, check=True):
        """A request by curl, whose answer is thrown away."""
        subprocess.run([
            "curl", "--silent", *(["--fail"] if check else []), "--output", "/dev/null",
            "--unix-socket", self.socket, *map(str, arguments), f"{API}{path}"], check=True)

    def load(self, path):
        self.curl("/images/load?quiet=1", *upload(path))

    def remove_image(self, name):
        """Whether or not it is there."""
        self.curl(f"/images/{name}?force=1", "--request", "DELETE", check=False)

    def remove_container(self, name):
        self.curl(f"/containers/{name}?force=1", "--request", "DELETE", check=False)

    def request(self, method, path, body=None):
        """The answer's JSON."""
        return engine_api.request(self.socket, method, path, body)

    def is_running(self, container):
        return self.request("GET", f"/containers/{container}/json")["State"]["Running"]

    def log_path(self, container, **query):
        query = urllib.parse.urlencode({"stdout": 1, "stderr": 1} | query)
        return f"/containers/{container}/logs?{query}"

    # As a process, like a daemon of ours.

    def processor_seconds(self):
        """Processor time of the engine and of what it started and waited for."""
        return processor_seconds(self.pid, children=True)

    def status(self, field):
        return process_status(self.pid, field)


def upload(path):
    """curl's options to send a tarball."""
    return ("--request", "POST", "--header", "Content-Type: application/x-tar", "--header",
            "Expect:", "--upload-file", str(path))
