"""An evening's lab: `cz tls init`, and the commands that it prints."""

import json
import os
import shlex
import subprocess

import pytest

from cz_client import NOT_ALLOWED, tls_init
from documents import examples
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port, wait_until
from pki import openssl

KEYS = ["ca.key", "device/server.key", "operator.key", "viewer.key"]
CERTIFICATES = ["device/server.pem", "operator.pem", "viewer.pem"]


class Lab:
    """A containerzd started as was printed, but for where it listens and looks."""

    def __init__(self, folder, printed, runtime_socket):
        self.folder, self.port = folder, free_port()
        server, self.client = [shlex.split(line) for line in printed.splitlines()[-2:]]
        assert server[0] == "containerzd" and self.client[0] == "cz"
        self.daemon = Daemon(
            *server, "--listen", f"127.0.0.1:{self.port}", "--runtime-socket", runtime_socket,
            "--authz-policy", AUTHZ_POLICY)

    def cz(self, *command, client="operator"):
        """What was printed for the operator, as somebody else perhaps, and another command."""
        printed = [part.replace("/operator.", f"/{client}.") for part in self.client[1:]]
        assert printed[-2:] == ["container", "list"]
        printed[printed.index("--target") + 1] += f":{self.port}"
        done = subprocess.run([PROGRAMS / "cz", *printed[:-2], *command],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def lab(docker_stack, tmp_path):
    # A name that a shell would take apart.
    folder = tmp_path / "our lab"
    lab = Lab(folder, tls_init(folder), docker_stack.runtime_socket)
    with lab.daemon:
        yield lab


def test_what_the_operator_and_the_viewer_may_do(lab, unique):
    name = unique("volume")
    assert lab.cz("container", "list")[0] == 0
    assert lab.cz("volume", "create", name) == (0, f"{name}\n", "")
    for what in "image", "container", "volume":
        code, _, errors = lab.cz(what, "list", client="viewer")
        assert code == 0, errors
    assert name in lab.cz("volume", "list", client="viewer")[1]
    for command in (["volume", "remove", name], ["volume", "create", unique("volume")],
                    ["container", "stop", "x"], ["container", "start", "x:1"],
                    ["image", "remove", "x:1"]):
        code, output, errors = lab.cz(*command, client="viewer")
        assert (code, output) == (NOT_ALLOWED, ""), errors
        assert "spiffe://lab.example/containerz/read may not call" in errors
    assert lab.cz("volume", "remove", name)[0] == 0


def test_new_certificates_for_a_lab_that_runs(lab):
    old = {name: (lab.folder / name).read_bytes() for name in CERTIFICATES + KEYS}
    authority = (lab.folder / "ca.pem").read_bytes()
    tls_init(lab.folder, "--renew")
    assert (lab.folder / "ca.pem").read_bytes() == authority
    for name, content in old.items():
        assert ((lab.folder / name).read_bytes() == content) == (name == "ca.key"), name
    for client in "operator", "viewer":
        assert lab.cz("container", "list", client=client)[0] == 0
    new = openssl("x509", "-in", lab.folder / "device/server.pem", "-noout", "-serial")

    def presented():
        shown = subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{lab.port}"],
            stdin=subprocess.DEVNULL, capture_output=True).stdout
        return b"BEGIN CERTIFICATE" in shown and (
            openssl("x509", "-noout", "-serial", data=shown) == new)
    wait_until(presented, "the new certificate")


def test_openssl_accepts_what_was_made(tmp_path):
    folder = tmp_path / "lab"
    tls_init(folder, "--server", "switch1.lab.example", "--server", "192.0.2.1",
             "--server", "2001:db8::1", "--days", "30")
    strict = ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", folder / "ca.pem"]
    openssl(*strict, "-purpose", "sslserver", "-verify_hostname", "switch1.lab.example",
            folder / "device/server.pem")
    for address in "192.0.2.1", "2001:db8::1":
        openssl(*strict, "-purpose", "sslserver", "-verify_ip", address,
                folder / "device/server.pem")
    for name, scope in ("operator", "write"), ("viewer", "read"):
        openssl(*strict, "-purpose", "sslclient", folder / f"{name}.pem")
        text = openssl("x509", "-in", folder / f"{name}.pem", "-noout", "-ext", "subjectAltName")
        assert f"URI:spiffe://lab.example/containerz/{scope}" in text.decode()
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*strict, "-purpose", "sslserver", folder / "viewer.pem")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*strict, "-verify_hostname", "localhost", folder / "device/server.pem")
    for name in KEYS:
        assert (folder / name).stat().st_mode & 0o777 == 0o600, name
    for name in [*CERTIFICATES, "ca.pem"]:
        openssl("x509", "-in", folder / name, "-noout", "-checkend", str(29 * 24 * 3600))


def test_what_goes_to_the_device_is_for_its_group(tmp_path):
    folder = tmp_path / "lab"
    copy, use = tls_init(folder, "--server", "switch1").splitlines()[-2:]
    assert shlex.split(use)[:3] == ["cz", "--target", "switch1"]
    archive, _, remote = copy.partition(" | ")
    assert shlex.split(remote)[:2] == ["ssh", "root@switch1"]
    done = subprocess.run(["sh", "-c", f"{archive} | tar -tv"], capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {(line[-1], line[0], line[1]) for line in lines} == {
        (name, "-rw-r-----", "root/containerz")
        for name in ("server.pem", "server.key", "client-ca.pem")}


def test_the_readme_has_what_is_printed(tmp_path):
    (commands,) = examples("A lab in an evening")
    first, *others = commands.splitlines()
    done = subprocess.run(shlex.split(first), cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PATH": str(PROGRAMS.resolve())}, check=True)
    assert done.stdout.splitlines()[-2:] == others


def test_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "lab"
    tls_init(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert len(before) == 9
    error = tls_init(folder, code=1)
    assert error.startswith(f"cz: tls init: {folder}/ca.pem is there already: --renew")
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_for_scripts(tmp_path):
    lines = tls_init(tmp_path / "lab", "--json").splitlines()
    assert all(json.loads(line)["use"] for line in lines)
    files = {json.loads(line)["file"] for line in lines}
    assert files == {str(path) for path in (tmp_path / "lab").rglob("*.*")}


@pytest.mark.parametrize("options", [
    ["--server", "a,b"], ["--server", ""], ["--days", "0"], ["--days", "3651"]])
def test_usage(tmp_path, options):
    tls_init(tmp_path / "lab", *options, code=64)
    assert not (tmp_path / "lab").exists()
