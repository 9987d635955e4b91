"""SetPackage and Upgrades/Watch, with the real rules and a key of the test's own."""

import hashlib
import importlib
import os
import pathlib
import subprocess

import grpc
import pytest

import gnoi
from gnoi import DEADLINE, Code
from harness import PROGRAMS, Daemon, free_port, wait_until
from pki import openssl

system = importlib.import_module("github.com.openconfig.gnoi.system.system_pb2")
services = importlib.import_module("github.com.openconfig.gnoi.system.system_pb2_grpc")

PROGRAM = pathlib.Path(__file__).parents[2] / "packaging/upgrade/containerz-upgrade"
IDENTIFIER = "0123456789abcdef" * 2


class Upgrades:
    """A containerzd whose keys and folders are the test's."""

    def __init__(self, folder):
        self.folder, self.keys = folder, folder / "keys"
        self.inbox, self.result = folder / "inbox", folder / "state/result"
        for path in (self.keys, self.result.parent):
            path.mkdir()
        self.private = self.make_key(self.keys / "owner.pem")
        self.program = folder / "containerz-upgrade"
        self.program.write_text(f"#!/bin/sh\nexport CONTAINERZ_UPGRADE_KEYS={self.keys}\n"
                                f'exec {PROGRAM} "$@"\n')
        self.program.chmod(0o755)

    def make_key(self, public):
        private = self.folder / f"{public.stem}.key"
        for command in (["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private],
                        ["ec", "-in", private, "-pubout", "-out", public]):
            openssl(*command)
        return private

    def sign(self, contents, key=None):
        return openssl("dgst", "-sha256", "-sign", key or self.private, data=contents)

    def package(self, name="cz-pull", version="99.0", source="containerz"):
        content = self.folder / f"content-{name}"
        (content / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (content / "DEBIAN/control").write_text(
            f"Package: {name}\nSource: {source}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: x <x@example.org>\nDescription: x\n")
        path = self.folder / f"{name}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--build", content, path], check=True, capture_output=True)
        return path

    def options(self):
        return ["--upgrade-program", self.program, "--upgrade-dir", self.inbox,
                "--upgrade-result", self.result]

    def waiting(self):
        """Names of what was received."""
        return sorted(path.name for path in self.inbox.glob("sets/*/*"))


@pytest.fixture
def upgrades(tmp_path):
    return Upgrades(tmp_path)


@pytest.fixture
def device(upgrades):
    port = free_port()
    with Daemon("containerzd", "--insecure", "--listen", f"127.0.0.1:{port}", *upgrades.options()):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            device = gnoi.Device(channel)
            device.port = port
            yield device


def requests(path, contents, hash=None, method=gnoi.types.HashType.SHA256, **package):
    yield system.SetPackageRequest(package=system.Package(filename=path.name, **package))
    for start in range(0, len(contents), 1000):
        yield system.SetPackageRequest(contents=contents[start:start + 1000])
    digest = hashlib.sha256(contents).digest() if hash is None else hash
    yield system.SetPackageRequest(hash=gnoi.types.HashType(method=method, hash=digest))


def send(device, path, signature, *, identifier=IDENTIFIER, contents=None, metadata=(), **options):
    contents = path.read_bytes() if contents is None else contents
    pairs = [*metadata]
    if signature is not None:
        pairs.append(("containerz-signature-bin", signature))
    if identifier:
        pairs.append(("containerz-upgrade-id", identifier))
    call = services.SystemStub(device.channel).SetPackage.with_call(
        requests(path, contents, **options), metadata=pairs, timeout=DEADLINE)
    return dict(call[1].initial_metadata())


def refused(device, *arguments, **options):
    with pytest.raises(grpc.RpcError) as error:
        send(device, *arguments, **options)
    return error.value.code(), error.value.details()


def write_result(upgrades, identifier, *lines):
    """What the installing program does."""
    new = upgrades.result.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in (f"id={identifier}", *lines)))
    new.rename(upgrades.result)


def test_packages_of_one_upgrade(device, upgrades):
    first, second = upgrades.package("cz-pull"), upgrades.package("containerz-common")
    for path, activate in ((first, False), (second, True)):
        answer = send(device, path, upgrades.sign(path.read_bytes()), activate=activate,
                      version="99.0")
        assert answer["containerz-upgrade-id"] == IDENTIFIER
        assert (upgrades.inbox / "request").exists() == activate
    assert upgrades.waiting() == sorted(
        f"{path.name}{end}" for path in (first, second) for end in ("", ".sig"))
    assert (upgrades.inbox / "request").read_text() == f"{IDENTIFIER} no\n"
    # One at a time, until it is over.
    code, _ = refused(device, first, upgrades.sign(first.read_bytes()), identifier="f" * 32,
                      activate=True)
    assert code == Code.ABORTED
    write_result(upgrades, IDENTIFIER, "state=installing")
    assert refused(device, first, upgrades.sign(first.read_bytes()), identifier="f" * 32,
                   activate=True)[0] == Code.ABORTED
    write_result(upgrades, IDENTIFIER, "state=done")
    send(device, first, upgrades.sign(first.read_bytes()), identifier="f" * 32, activate=True)
    # What is over needs no packages any more.
    assert upgrades.waiting() == [first.name, f"{first.name}.sig"]


def test_without_an_identifier_it_is_alone(device, upgrades):
    path = upgrades.package()
    signature = upgrades.sign(path.read_bytes())
    code, details = refused(device, path, signature, identifier=None)
    assert code == Code.INVALID_ARGUMENT and "containerz-upgrade-id" in details
    answer = send(device, path, signature, identifier=None, activate=True)
    assert (upgrades.inbox / "request").read_text() == f"{answer['containerz-upgrade-id']} no\n"


def test_what_is_refused(device, upgrades):
    path = upgrades.package()
    contents = path.read_bytes()
    signature = upgrades.sign(contents)
    stranger = upgrades.sign(contents, upgrades.make_key(upgrades.folder / "stranger.pem"))
    assert refused(device, path, None)[0] == Code.PERMISSION_DENIED
    assert refused(device, path, stranger)[0] == Code.PERMISSION_DENIED
    assert refused(device, path, b"")[0] == Code.PERMISSION_DENIED
    assert refused(device, path, b"x" * 2000)[0] == Code.INVALID_ARGUMENT
    assert refused(device, path, signature, hash=b"x" * 32)[0] == Code.INVALID_ARGUMENT
    assert refused(device, path, signature, method=gnoi.types.HashType.MD5,
                   hash=hashlib.md5(contents).digest())[0] == Code.INVALID_ARGUMENT
    assert refused(device, path, signature, version="1.0")[0] == Code.INVALID_ARGUMENT
    assert refused(device, path, signature, identifier="../../x")[0] == Code.INVALID_ARGUMENT
    assert refused(device, path, signature, contents=contents[:-1])[0] == Code.PERMISSION_DENIED
    other = path.rename(upgrades.folder / "cz_99.0_all.deb")
    code, details = refused(device, other, signature)
    assert code == Code.INVALID_ARGUMENT and "cz-pull" in details
    for name, source in (("bash", "containerz"), ("cz-other", "bash")):
        foreign = upgrades.package(name, source=source)
        code, details = refused(device, foreign, upgrades.sign(foreign.read_bytes()))
        assert code == Code.INVALID_ARGUMENT and details.startswith(foreign.name)
    nonsense = upgrades.folder / "cz_1_all.deb"
    nonsense.write_bytes(b"nonsense")
    assert refused(device, nonsense, upgrades.sign(b"nonsense"))[0] == Code.INVALID_ARGUMENT
    # Nothing of them stays, and they are in nobody's way.
    for digit in "12345":
        assert refused(device, nonsense, b"x", identifier=digit * 32)[0] == Code.PERMISSION_DENIED
    assert upgrades.waiting() == []
    assert {path.name for path in upgrades.inbox.iterdir()} <= {"sets"}
    (upgrades.keys / "owner.pem").unlink()
    assert refused(device, foreign, signature)[0] == Code.FAILED_PRECONDITION
    upgrades.program.unlink()
    assert refused(device, foreign, signature)[0] == Code.UNIMPLEMENTED


def test_too_large(device, upgrades):
    path = upgrades.package()

    def endless():
        yield system.SetPackageRequest(package=system.Package(filename=path.name))
        for _ in range(70):
            yield system.SetPackageRequest(contents=bytes(1 << 20))
    with pytest.raises(grpc.RpcError) as error:
        services.SystemStub(device.channel).SetPackage(endless(), timeout=DEADLINE, metadata=[
            ("containerz-signature-bin", b"x"), ("containerz-upgrade-id", IDENTIFIER)])
    assert error.value.code() == Code.RESOURCE_EXHAUSTED
    assert upgrades.waiting() == []


def test_upgrades_that_are_never_activated(device, upgrades):
    path = upgrades.package()
    signature = upgrades.sign(path.read_bytes())
    for digit in "1234":
        send(device, path, signature, identifier=digit * 32)
    assert refused(device, path, signature, identifier="5" * 32)[0] == Code.RESOURCE_EXHAUSTED
    # After a day nobody waits for one.
    old = upgrades.inbox / "sets" / ("1" * 32)
    os.utime(old, (0, 0))
    # Nor for one that was being received when the service was killed.
    partial = upgrades.inbox / ".partial-x.deb"
    partial.touch()
    os.utime(partial, (0, 0))
    send(device, path, signature, identifier="5" * 32)
    assert not old.exists() and not partial.exists()


@pytest.mark.parametrize("state, code", [("done", 0), ("failed", 1)])
def test_what_becomes_of_it(device, upgrades, state, code):
    """cz waits for what the installing program says."""
    path = upgrades.package()
    pathlib.Path(f"{path}.sig").write_bytes(upgrades.sign(path.read_bytes()))
    waiting = subprocess.Popen(
        [PROGRAMS / "cz", "--insecure", "--target", f"127.0.0.1:{device.port}", "system", "upgrade",
         path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    request = upgrades.inbox / "request"
    wait_until(request.exists, "the request")
    identifier = request.read_text().split()[0]
    for lines in (["state=installing"],
                  [f"state={state}", "message=it is not well", "package=cz-pull 99.0"]):
        write_result(upgrades, identifier, *lines)
    output, errors = waiting.communicate(timeout=DEADLINE)
    assert waiting.returncode == code, errors
    assert output == "cz-pull 99.0\n"
    assert (code == 1) == ("it is not well" in errors)
    assert upgrades.waiting() == []
