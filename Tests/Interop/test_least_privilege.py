"""What somebody who has taken over containerzd can reach, and what not."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import engine_socket, need
from gnoi import Device, secure_channel
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port

# Numbers that nobody has; names would have to be made on the machine.
FRONT, OTHER = 47110, 47111


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all"]


def attempt(user, code):
    """What Python says as that user: nothing, or the error."""
    done = subprocess.run([*as_user(user), "/usr/bin/python3", "-c", code], capture_output=True,
                          text=True, timeout=60)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def connect(path):
    return f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"


def read(path):
    return f"open({str(path)!r}).read()"


class Installation:
    """A device as it is installed: folders with owners and modes."""

    def __init__(self, folder, certificates):
        self.folder = folder
        folder.chmod(0o755)
        self.tls, self.state = folder / "tls", folder / "state"
        self.runtime_socket = folder / "runtime.sock"
        self.tls.mkdir()
        self.key, self.other_key = self.tls / "containerzd.key", self.tls / "other.key"
        shutil.copy(certificates.server[1], self.key)
        shutil.copy(certificates.server[1], self.other_key)
        os.chown(self.key, 0, FRONT)
        self.key.chmod(0o640)
        self.other_key.chmod(0o600)
        for name, source in [("server.pem", certificates.server[0]),
                             ("ca.pem", certificates.authority.certificate),
                             ("authz.json", AUTHZ_POLICY)]:
            shutil.copy(source, self.tls / name)
            (self.tls / name).chmod(0o644)
        # The programs, where everybody can run them.
        shutil.copy(PROGRAMS / "containerzd", folder / "containerzd")
        (folder / "containerzd").chmod(0o755)


@pytest.fixture(params=["docker", "podman"])
def installed(request, certificates):
    need(request.param)
    with tempfile.TemporaryDirectory(prefix="cz-device.") as folder:
        device = Installation(pathlib.Path(folder), certificates)
        device.engine = request.param
        with Daemon("cz-runtime", "--socket", device.runtime_socket, "--socket-group", FRONT,
                    "--engine", request.param, "--engine-socket", engine_socket(request.param),
                    "--state-dir", device.state):
            yield device


def test_the_front_works_without_any_privilege(installed, certificates):
    port = free_port()
    with Daemon(
            "containerzd", "--listen", f"127.0.0.1:{port}", "--runtime-socket",
            installed.runtime_socket, "--tls-cert", installed.tls / "server.pem", "--tls-key",
            installed.key, "--client-ca", installed.tls / "ca.pem", "--authz-policy",
            installed.tls / "authz.json", "--plugin-dir", installed.folder / "plugins",
            prefix=as_user(FRONT), program=installed.folder / "containerzd") as front:
        status = dict(line.split(":\t", 1) for line in pathlib.Path(
            f"/proc/{front.pid}/status").read_text().splitlines() if ":\t" in line)
        assert status["Uid"].split() == [str(FRONT)] * 4
        for capabilities in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"] == "1"
        with secure_channel(port, certificates.authority, certificates.client) as channel:
            Device(channel).images()
        assert engine_socket(installed.engine) not in front.descriptors()


def test_what_its_identity_opens(installed):
    assert attempt(FRONT, connect(installed.runtime_socket)) == ""
    assert attempt(FRONT, read(installed.key)) == ""
    denied = "PermissionError: [Errno 13] Permission denied"
    for code in (connect(engine_socket(installed.engine)), read(installed.other_key),
                 f"import os; os.listdir({str(installed.state / 'updates')!r})",
                 f"open({str(installed.tls / 'authz.json')!r}, 'a')"):
        assert attempt(FRONT, code).startswith(denied), code
    # Nobody but the front and root reaches the runtime.
    assert attempt(OTHER, connect(installed.runtime_socket)).startswith(denied)
    assert oct(installed.runtime_socket.stat().st_mode & 0o777) == "0o660"
