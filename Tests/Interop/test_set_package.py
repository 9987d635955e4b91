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
        self.settings, self.database = folder / "etc/upgrade.conf", folder / "dpkg"
        for path in (self.keys, self.result.parent, self.settings.parent, self.database):
            path.mkdir()
        self.install()
        self.private = self.make_key(self.keys / "owner.pem")
        self.program = folder / "containerz-upgrade"
        self.program.write_text(
            f"#!/bin/sh\nexport CONTAINERZ_UPGRADE_KEYS={self.keys}\n"
            f"export CONTAINERZ_UPGRADE_SETTINGS={self.settings} DPKG_ADMINDIR={self.database}\n"
            f'exec {PROGRAM} "$@"\n')
        self.program.chmod(0o755)

    def install(self, **versions):
        """Has dpkg say that packages of ours are installed."""
        (self.database / "status").write_text("".join(
            f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nArchitecture: all\n"
            f"Source: containerz\nMaintainer: x\nVersion: {version}\nDescription: x\n\n"
            for name, version in versions.items()))

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


# --- Older versions ---


def outcome(device, upgrades, path, *, allow=False, identifier=None, check=True):
    """The status and message of a package; of apply's own look, the same package's refusal."""
    metadata = [("containerz-allow-downgrade", "true")] if allow else []
    try:
        send(device, path, upgrades.sign(path.read_bytes()), identifier=identifier, activate=True,
             metadata=metadata)
        code, details = Code.OK, ""
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
    options = ["--allow-downgrade"] if allow else []
    path.with_suffix(".deb.sig").write_bytes(upgrades.sign(path.read_bytes()))
    done = subprocess.run([upgrades.program, "check", *options, path], capture_output=True, text=True)
    assert (done.returncode == 0) == (code is Code.OK), done.stderr
    if (upgrades.inbox / "request").exists():
        write_result(upgrades, (upgrades.inbox / "request").read_text().split()[0], "state=done")
    return code, details


def test_a_downgrade_is_the_devices_choice(device, upgrades):
    """Not the client's, whatever its metadata says."""
    upgrades.install(cz_pull="2.0", containerzd="2.1")
    old, same = upgrades.package(version="1.0"), upgrades.package(version="2.0")
    assert outcome(device, upgrades, same) == (Code.OK, "")
    code, details = outcome(device, upgrades, old)
    assert code is Code.FAILED_PRECONDITION and "older than 2.0" in details
    code, details = outcome(device, upgrades, old, allow=True)
    assert code is Code.PERMISSION_DENIED
    assert f"{upgrades.settings} does not have allow-downgrade=yes" in details
    # The administrator says no, in so many words, and then yes.
    upgrades.settings.write_text("allow-downgrade = no\n")
    assert outcome(device, upgrades, old, allow=True)[0] is Code.PERMISSION_DENIED
    upgrades.settings.write_text("# For the lab.\n\nallow-downgrade=yes\n")
    assert outcome(device, upgrades, old)[0] is Code.FAILED_PRECONDITION
    assert outcome(device, upgrades, old, allow=True) == (Code.OK, "")


def test_a_package_that_is_new_on_the_device_is_judged_by_the_others(device, upgrades):
    """Otherwise an old version of whatever is not installed could be brought in."""
    upgrades.install(containerzd="2.1", containerz_common="2.0")
    assert outcome(device, upgrades, upgrades.package(version="2.0"))[0] is Code.FAILED_PRECONDITION
    assert outcome(device, upgrades, upgrades.package(version="2.1")) == (Code.OK, "")
    # On a device without any of them there is nothing to compare with.
    upgrades.install()
    assert outcome(device, upgrades, upgrades.package(version="0.1")) == (Code.OK, "")


@pytest.mark.parametrize("version, is_taken", [
    ("1.9", False), ("2.0~rc1", False), ("2.0", True), ("2.0-1", True), ("1:0.1", True)])
def test_nothing_below_the_minimum_is_installed(device, upgrades, version, is_taken):
    """Whatever is installed, and although downgrades are allowed."""
    upgrades.install(cz_pull="1:9.0" if is_taken else "1.0")
    upgrades.settings.write_text("minimum-version=2.0\nallow-downgrade=yes\n")
    code, details = outcome(device, upgrades, upgrades.package(version=version), allow=True)
    if is_taken:
        assert (code, details) == (Code.OK, "")
    else:
        assert code is Code.PERMISSION_DENIED
        assert f"older than 2.0, the minimum-version in {upgrades.settings}" in details


def test_each_package_of_a_set_is_judged(device, upgrades):
    upgrades.install(cz_pull="2.0", containerz_common="2.0")
    new, old = upgrades.package("containerz-common", "3.0"), upgrades.package(version="1.0")
    send(device, new, upgrades.sign(new.read_bytes()), activate=False)
    code, _ = refused(device, old, upgrades.sign(old.read_bytes()), activate=True,
                      metadata=[("containerz-allow-downgrade", "true")])
    assert code is Code.PERMISSION_DENIED
    assert not (upgrades.inbox / "request").exists()


@pytest.mark.parametrize("text, said", [
    ("allow-downgrade=true\n", "must be yes or no"), ("allow-downgrade\n", "not KEY=VALUE"),
    ("allow-downgrade=yes yes\n", "not KEY=VALUE"), ("Allow-Downgrade=yes\n", "not KEY=VALUE"),
    ("allow-downgrades=yes\n", "the key is unknown"), ("allow-downgrade=yes\n" * 2, "repeated"),
    ("minimum-version=latest\n", "not a version"), ("minimum-version=1.0 # x\n", "not KEY=VALUE"),
    ("minimum-version=$(touch /tmp/x)\n", "not KEY=VALUE"), ("x" * 70000, "more than 64 KiB"),
    ("minimum-version=9", "older than 9, the minimum")])
def test_settings_that_are_wrong_refuse_everything(device, upgrades, text, said):
    upgrades.settings.write_text(text)
    code, details = outcome(device, upgrades, upgrades.package(version="1.0"), allow=True)
    assert code in (Code.FAILED_PRECONDITION, Code.PERMISSION_DENIED)
    assert said in details and str(upgrades.settings) in details


def spoil(path, how):
    if how == "owner":
        os.chown(path, 4242, -1)
    elif how == "everybody":
        path.chmod(0o777)
    elif how == "group":
        os.chown(path, -1, 4242)
        path.chmod(0o775)
    elif how == "link":
        path.rename(f"{path}.real")
        path.symlink_to(f"{path}.real")


@pytest.mark.parametrize("what", ["settings", "key"])
@pytest.mark.parametrize("where, how", [
    ("file", "owner"), ("file", "everybody"), ("file", "group"), ("folder", "owner"),
    ("folder", "everybody"), ("folder", "group"), ("above", "everybody"), ("file", "link")])
def test_files_that_others_can_change_are_not_used(device, upgrades, what, where, how):
    """A file is as good as the folders above it."""
    if what == "key" and how == "link":
        pytest.skip("what it points to is judged")
    upgrades.install(cz_pull="2.0")
    upgrades.settings.write_text("allow-downgrade=yes\n")
    path = upgrades.settings if what == "settings" else upgrades.keys / "owner.pem"
    spoiled = {"file": path, "folder": path.parent, "above": upgrades.folder}[where]
    spoil(spoiled, how)
    code, details = outcome(device, upgrades, upgrades.package(version="1.0"), allow=True)
    assert code is Code.FAILED_PRECONDITION and str(spoiled) in details, details


def test_apply_decides_by_itself(upgrades):
    """What containerzd has looked at is not believed: a request with a flag of the attacker's, and
    packages that were put in its folder."""
    old = upgrades.package(version="1.0")
    identifier = "a" * 32
    folder = upgrades.inbox / "sets" / identifier
    folder.mkdir(parents=True)
    (folder / old.name).write_bytes(old.read_bytes())
    (folder / f"{old.name}.sig").write_bytes(upgrades.sign(old.read_bytes()))
    (upgrades.inbox / "request").write_text(f"{identifier} yes\n")
    upgrades.install(cz_pull="2.0")
    for text, said in (("", "does not have allow-downgrade=yes"),
                       ("minimum-version=1.5\nallow-downgrade=yes\n", "minimum-version"),
                       ("nonsense\n", "not KEY=VALUE")):
        upgrades.settings.write_text(text)
        upgrades.result.unlink(missing_ok=True)
        done = subprocess.run(
            [upgrades.program, "apply"], capture_output=True, text=True, env=os.environ | {
                "CONTAINERZ_UPGRADE_INBOX": str(upgrades.inbox),
                "CONTAINERZ_UPGRADE_STATE": str(upgrades.result.parent)})
        result = upgrades.result.read_text()
        assert done.returncode == 1 and "state=failed" in result and said in result, done.stderr
    assert not (upgrades.result.parent / "log").exists()


# --- Installing for real, with a database of packages of the test's own ---


class Machine:
    """The tests' machine, as far as dpkg and apt see it: nothing is installed but what the test
    installs, which are packages without files."""

    FOLDERS = ["lib/dpkg/info", "lib/dpkg/updates", "lib/dpkg/triggers", "lib/apt/lists/partial",
               "cache/apt/archives/partial", "log/apt"]

    def __init__(self, upgrades):
        self.upgrades, self.folder = upgrades, upgrades.folder / "var"
        for name in self.FOLDERS:
            (self.folder / name).mkdir(parents=True)
        for name in "status", "available", "info/format":
            (self.folder / "lib/dpkg" / name).write_text("1\n" if name == "info/format" else "")

    def run(self, *command):
        binds = "".join(f'mount --bind "$0/{name}" /var/{name} && '
                        for name in ("lib/dpkg", "lib/apt", "cache/apt", "log"))
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'{binds} exec "$@"', self.folder, *command],
            capture_output=True, text=True, timeout=120, env=os.environ | {
                "CONTAINERZ_UPGRADE_KEYS": str(self.upgrades.keys),
                "CONTAINERZ_UPGRADE_SETTINGS": str(self.upgrades.settings),
                "CONTAINERZ_UPGRADE_INBOX": str(self.upgrades.inbox),
                "CONTAINERZ_UPGRADE_STATE": str(self.upgrades.result.parent)})

    def installed(self):
        done = self.run("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n")
        return set(done.stdout.splitlines())

    def apply(self, *paths, flag, identifier):
        """What apply makes of packages that containerzd has handed over."""
        folder = self.upgrades.inbox / "sets" / (identifier * 32)
        folder.mkdir(parents=True)
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
            (folder / f"{path.name}.sig").write_bytes(self.upgrades.sign(path.read_bytes()))
        (self.upgrades.inbox / "request").write_text(f"{identifier * 32} {flag}\n")
        done = self.run(PROGRAM, "apply")
        result = self.upgrades.result.read_text()
        assert f"id={identifier * 32}" in result, done.stderr
        return result


@pytest.fixture
def machine(upgrades):
    machine = Machine(upgrades)
    first = [upgrades.package("cz-pull", "2.0"), upgrades.package("containerz-common", "2.0")]
    assert "state=done" in machine.apply(*first, flag="no", identifier="1")
    assert machine.installed() == {"cz-pull 2.0", "containerz-common 2.0"}
    return machine


def test_apply_installs_older_versions_where_both_want_it(machine, upgrades):
    old = upgrades.package("cz-pull", "1.0"), upgrades.package("containerz-common", "3.0")
    for identifier, flag, text, said in (
            ("2", "no", "", "older than 2.0"), ("3", "yes", "", "allow-downgrade=yes"),
            ("4", "no", "allow-downgrade=yes\n", "older than 2.0"),
            ("5", "yes", "allow-downgrade=yes\nminimum-version=1.5\n", "minimum-version")):
        upgrades.settings.write_text(text)
        result = machine.apply(*old, flag=flag, identifier=identifier)
        assert "state=failed" in result and said in result, result
        # None of the set, although one of it is newer.
        assert machine.installed() == {"cz-pull 2.0", "containerz-common 2.0"}
    upgrades.settings.write_text("allow-downgrade=yes\nminimum-version=1.0\n")
    assert "state=done" in machine.apply(*old, flag="yes", identifier="6")
    assert machine.installed() == {"cz-pull 1.0", "containerz-common 3.0"}


def test_a_failed_upgrade_is_taken_back_below_the_minimum(machine, upgrades):
    """The minimum is of what comes, not of what was there."""
    upgrades.settings.write_text("minimum-version=3.0\n")
    script = upgrades.folder / "content-cz-pull/DEBIAN/postinst"
    script.write_text('#!/bin/sh\n[ "$1" != configure ] || exit 1\n')
    script.chmod(0o755)
    broken = upgrades.package("cz-pull", "3.0")
    result = machine.apply(broken, flag="no", identifier="7")
    assert "state=failed" in result and "package=cz-pull 2.0" in result, result
    assert "could not be put back" not in result
    assert machine.installed() == {"cz-pull 2.0", "containerz-common 2.0"}
