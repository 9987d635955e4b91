"""The packages: installed, used, upgraded under load, rebooted with, and removed again."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / folder)
                for folder in ("Interop", "Support")]

import make_image
from box import ROOT, Box, docker, import_base, packages, wait_until
from pki import Certificates, openssl

DAEMONS = "containerzd.service", "cz-runtime.service"
# As `docker exec` sees files: outside of the box, where the test runs.
CZ = ROOT / ".build/deb/containerz/debian/cz/usr/bin/cz"
LIBRARIES = next((ROOT / ".build/deb/containerz/debian/containerz-libs/usr/lib").glob("*/containerz"))


@pytest.fixture(scope="session", autouse=True)
def base():
    import_base()


@pytest.fixture
def box(request):
    with Box(f"box-{os.getpid()}-{abs(hash(request.node.name))}") as box:
        yield box


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "web.tar"
    with open(path, "wb") as file:
        make_image.make_image(file, ["web:1"], mib=1)
    return path


class Operator:
    """cz on another machine, with certificates of a lab's own."""

    def __init__(self, box, folder):
        folder.mkdir()
        self.certificates = Certificates(folder)
        self.box = box
        address = box.address
        self.server = self.certificates.authority.issue(
            "device", f"DNS:device.example,IP:{address}", "serverAuth")
        self.target = f"{address}:9339"

    def give_certificates(self):
        """What an administrator does, as the README says."""
        for source, name in ((self.server[0], "server.pem"), (self.server[1], "server.key"),
                             (self.certificates.authority.certificate, "client-ca.pem")):
            self.box.copy_in(source, f"/etc/containerz/tls/{name}")
        self.box.run("chown", "root:containerz", "/etc/containerz/tls/server.key")
        self.box.run("chmod", "640", "/etc/containerz/tls/server.key")
        self.box.run("systemctl", "stop", "containerzd")
        self.box.run("systemctl", "start", "containerzd-tls.socket", "containerzd")

    def command(self, *arguments, client="client"):
        certificate, key = getattr(self.certificates, client)
        return [CZ, "--target", self.target, "--ca", self.certificates.authority.certificate,
                "--cert", certificate, "--key", key, *map(str, arguments)]

    def popen(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), env=self.environment, **options)

    @property
    def environment(self):
        return os.environ | {"LD_LIBRARY_PATH": str(LIBRARIES)}

    def cz(self, *arguments, code=0, client="client", patience=60):
        done = subprocess.run(self.command(*arguments, client=client), capture_output=True,
                              text=True, timeout=patience, env=self.environment)
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    def refused(self, *arguments, code=1, **options):
        """What cz says of what fails."""
        return self.cz(*arguments, code=code, **options)


def remove_containers(prefix):
    for line in docker("ps", "--all", "--format", "{{.Names}}").stdout.split():
        if line.startswith(prefix):
            docker("rm", "--force", line)


@pytest.fixture
def installed(box, tmp_path):
    """A box with everything in it, and an operator elsewhere who has certificates."""
    box.install(*packages())
    operator = Operator(box, tmp_path / "pki")
    operator.give_certificates()
    yield box, operator
    remove_containers("pkg-")


def test_first_start(box, archive):
    """Without certificates the device serves itself and says how to get them."""
    box.install(*packages())
    for unit in (*DAEMONS, "containerzd.socket", "cz-runtime.socket", "cz-janitor.timer"):
        assert box.is_active(unit), unit
    assert not box.is_active("containerzd-tls.socket")
    assert "cz tls init" in box.output("journalctl", "--unit", "containerzd", "--no-pager")
    assert box.cz("image", "list").returncode == 0
    # The janitor finds its way to what it cleans, in its sandbox.
    done = box.run("systemctl", "start", "cz-janitor.service", check=False)
    assert done.returncode == 0, box.output("journalctl", "--unit", "cz-janitor", "--no-pager")
    # From whoever is not root, the policy keeps what it keeps from the network.
    denied = box.run("setpriv", "--reuid", "nobody", "--regid", "containerz", "--clear-groups",
                     "cz", "--target", "unix:/run/containerz/containerzd.sock", "image", "list",
                     check=False)
    assert denied.returncode == 77, denied.stderr
    assert_sockets_are_apart(box)


def as_member(box, *command):
    """Runs a command as somebody in the group of containerzd's socket."""
    return box.run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--groups", "containerz",
                   *command, check=False)


def assert_sockets_are_apart(box):
    """Members of the group containerz reach containerzd, and not cz-runtime."""
    owners = box.output("stat", "--format=%U:%G %a", "/run/containerz/runtime.sock",
                        "/run/containerz/containerzd.sock").splitlines()
    assert owners == ["root:containerz-runtime 660", "root:containerz 660"]
    # 77: containerzd answered, and knows who it is.
    assert as_member(box, "cz", "--target", "unix:/run/containerz/containerzd.sock", "image",
                     "list").returncode == 77
    done = as_member(box, "cz-runtime", "call", "GetInfo")
    assert done.returncode == 69 and "ermission denied" in done.stderr, done.stderr
    # Who is in the group: the two services alone.
    for unit in "containerzd", "cz-janitor":
        assert box.output("systemctl", "show", "--property=SupplementaryGroups", "--value",
                          unit).strip() == "containerz-runtime"
    assert box.output("getent", "group", "containerz-runtime").strip().endswith(":")
    assert box.cz("image", "list").returncode == 0


def test_units_are_confined(box):
    box.install(*packages())
    limits = {"containerzd.service": 2.0, "cz-runtime.service": 4.0}
    for unit, limit in limits.items():
        text = box.output("systemd-analyze", "security", "--no-pager", unit)
        (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", text)
        assert float(level) <= limit, text
    # Each is what it says it is.
    pid = box.output("systemctl", "show", "--property=MainPID", "--value", "containerzd").strip()
    status = box.output("cat", f"/proc/{pid}/status")
    assert re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert box.output("stat", "--format=%U", f"/proc/{pid}").strip() == "containerz"


def test_metrics_where_the_manual_puts_them(box):
    box.install(*packages())
    (script,) = re.findall(r"^\.SH METRICS$.*?^\.EX\n(.*?)^\.EE$",
                           (ROOT / "man/containerz.7").read_text(), re.MULTILINE | re.DOTALL)
    box.run("sh", "-ec", script.replace("\\-", "-").replace("\\e", "\\"))
    box.run("systemctl", "start", "cz-janitor")
    for unit in (*DAEMONS, "cz-janitor"):
        name = unit.removesuffix(".service")
        file = f"/var/lib/prometheus/node-exporter/{name}.prom"
        wait_until(lambda: box.run("test", "-s", file, check=False).returncode == 0, file)
        assert box.output("stat", "--format=%a", file).strip() == "644"
        assert "# TYPE containerz_" in box.output("cat", file)


def test_an_operator_elsewhere(installed, archive):
    box, operator = installed
    operator.cz("image", "push", archive, "pkg-web:1")
    operator.cz("container", "start", "pkg-web:1", "--instance", "pkg-web")
    assert "pkg-web" in operator.cz("container", "list")
    operator.cz("container", "list", client="reader")
    operator.cz("container", "stop", "pkg-web", client="reader", code=77)
    operator.cz("container", "list", client="foreign_client", code=77)
    # What it did is in the journal, by field.
    records = [json.loads(line) for line in box.output(
        "journalctl", "--unit", "containerzd", "--output", "json").splitlines()]
    methods = {record.get("CONTAINERZ_METHOD", "") for record in records}
    assert any("StartContainer" in method for method in methods), records[-1]
    operator.cz("container", "remove", "--force", "pkg-web")


def newer_packages(folder, version="99.0", change=lambda name, content: None):
    """The same packages under a higher version."""
    built = []
    for path in packages():
        content = folder / version / path.stem
        content.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "--raw-extract", path, content], check=True)
        control = content / "DEBIAN/control"
        text = re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.M)
        control.write_text(re.sub(r"\((= )[^)]*\)", f"(= {version})", text))
        name, _, architecture = path.stem.split("_")
        change(name, content)
        built.append(folder / f"{name}_{version}_{architecture}.deb")
        subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", content, built[-1]],
                       check=True, capture_output=True)
    return built


def test_an_upgrade_under_load(installed, archive, tmp_path):
    """Containers never stop, nothing is half updated, and new connections wait in the socket."""
    box, operator = installed
    operator.cz("image", "push", archive, "pkg-web:1")
    operator.cz("container", "start", "pkg-web:1", "--instance", "pkg-kept", "--restart", "always")
    operator.cz("container", "start", "pkg-web:1", "--instance", "pkg-updated")
    started = docker("inspect", "--format", "{{.State.StartedAt}}", "pkg-kept").stdout
    box.run("mkdir", "/newer")
    for path in newer_packages(tmp_path):
        box.copy_in(path, f"/newer/{path.name}")
    follower = operator.popen("container", "logs", "--follow", "pkg-kept",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    updating = operator.popen("container", "update", "pkg-updated", "pkg-web:1",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    outcomes, over = [], threading.Event()

    def ask():
        while not over.is_set():
            done = subprocess.run(operator.command("image", "list"), capture_output=True,
                                  env=operator.environment, timeout=60)
            outcomes.append((done.returncode, done.stderr.decode()))
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        box.run("sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install /newer/*.deb")
    finally:
        over.set()
        asking.join()
    assert "99.0" in box.output("dpkg-query", "--show", "containerzd")
    # A request that was under way may be told to come again; none hangs, none is refused.
    assert {code for code, _ in outcomes} <= {0, 69}, outcomes
    # Nor does the follower keep the old daemon, and with it whoever comes meanwhile.
    failures = [error for code, error in outcomes if code != 0]
    assert len(failures) <= 2 and not any("handshake" in error for error in failures), failures
    _, errors = follower.communicate(timeout=60)
    assert follower.returncode in (0, 69), errors
    updating.communicate(timeout=60)
    assert docker("inspect", "--format", "{{.State.StartedAt}}", "pkg-kept").stdout == started
    wait_until(lambda: all(box.is_active(unit) for unit in DAEMONS), "the daemons")
    wait_for_one("pkg-updated")
    operator.cz("container", "remove", "--force", "pkg-updated")
    operator.cz("container", "remove", "--force", "pkg-kept")


def one_group(name, content):
    """Packages as they were when both sockets had one group."""
    control = content / "DEBIAN/control"
    control.write_text(re.sub(r"(containerz\S*|cz\S*) \(>= [^)]*\)", r"\1", control.read_text()))
    for file in content.glob("lib/systemd/system/*"):
        text = re.sub(r"^SupplementaryGroups=.*\n", "", file.read_text(), flags=re.M)
        file.write_text(text.replace("SocketGroup=containerz-runtime", "SocketGroup=containerz"))
    for file in content.glob("usr/lib/sysusers.d/*"):
        file.write_text(re.sub(r"^g .*\n", "", file.read_text(), flags=re.M))
    # What the scripts did beside starting services is what they do now.
    for file in content.glob("DEBIAN/post*"):
        file.write_text(file.read_text().replace("chgrp containerz", "true"))


def test_an_upgrade_from_one_group(box, tmp_path):
    """The runtime's socket changes its group while it stays open, and back with the old version."""
    older = newer_packages(tmp_path, "0.0.1", change=one_group)
    box.run("mkdir", "/older")
    for path in older:
        box.copy_in(path, f"/older/{path.name}")

    def socket():
        return box.output("stat", "--format=%G", "/run/containerz/runtime.sock").strip()
    box.run("sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install /older/*.deb")
    wait_until(lambda: all(box.is_active(unit) for unit in DAEMONS), "the daemons")
    assert socket() == "containerz" and box.cz("image", "list").returncode == 0
    box.run("sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install /packages/*.deb")
    wait_until(lambda: all(box.is_active(unit) for unit in DAEMONS), "the daemons")
    assert_sockets_are_apart(box)
    box.run("sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install --force-downgrade "
                        "/older/*.deb")
    wait_until(lambda: all(box.is_active(unit) for unit in DAEMONS), "the daemons")
    assert socket() == "containerz" and box.cz("image", "list").returncode == 0


@pytest.fixture(scope="session")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("keys"))


class Signer:
    """Somebody with a key for upgrades."""

    def __init__(self, folder):
        self.key, self.public = folder / "upgrade.key", folder / "upgrade.pem"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        openssl("ec", "-in", self.key, "-pubout", "-out", self.public)

    def sign(self, *paths):
        for path in paths:
            openssl("dgst", "-sha256", "-sign", self.key, "-out", f"{path}.sig", path)
        return paths


def version(box, name="containerzd"):
    return box.output("dpkg-query", "--show", "--showformat", "${Version}", name)


def test_an_upgrade_from_afar(installed, archive, signer, tmp_path):
    """By SetPackage: the new versions run, the containers never stop; and there is a way back."""
    box, operator = installed
    old = version(box)
    box.copy_in(signer.public, "/etc/containerz/upgrade-keys/owner.pem")
    operator.cz("image", "push", archive, "pkg-web:1")
    operator.cz("container", "start", "pkg-web:1", "--instance", "pkg-kept", "--restart", "always")
    started = docker("inspect", "--format", "{{.State.StartedAt}}", "pkg-kept").stdout
    box.run("sh", "-c", "echo '# mine' >> /etc/default/containerzd")
    newer = signer.sign(*newer_packages(tmp_path))
    printed = operator.cz("system", "upgrade", *newer, patience=240).splitlines()
    assert sorted(printed) == sorted(f"{path.name.split('_')[0]} 99.0" for path in newer)
    assert version(box) == "99.0" and all(box.is_active(unit) for unit in DAEMONS)
    assert "# mine" in box.output("cat", "/etc/default/containerzd")
    assert docker("inspect", "--format", "{{.State.StartedAt}}", "pkg-kept").stdout == started
    operator.cz("container", "remove", "--force", "pkg-kept")
    # Nothing is left of it but the result.
    assert box.output("ls", "/var/lib/containerzd/upgrade/sets") == ""
    assert box.output("ls", "/var/lib/containerz-upgrade").split() == ["lock", "log", "result"]

    back = signer.sign(*newer_packages(tmp_path, version=old))
    assert "99.0" in operator.refused("system", "upgrade", *back)
    assert version(box) == "99.0"
    # Back is the device's choice, and its minimum counts nevertheless.
    settings = "/etc/containerz/upgrade.conf"
    assert settings in operator.refused("system", "upgrade", "--allow-downgrade", *back, code=77)
    box.run("sh", "-c", f"echo allow-downgrade=yes >> {settings}")
    box.run("sh", "-c", f"echo minimum-version=99.0 >> {settings}")
    assert "minimum-version" in operator.refused(
        "system", "upgrade", "--allow-downgrade", *back, code=77)
    assert version(box) == "99.0"
    box.run("sed", "-i", "/^minimum-version/d", settings)
    operator.cz("system", "upgrade", "--allow-downgrade", *back, patience=240)
    assert version(box) == old and all(box.is_active(unit) for unit in DAEMONS)


def broken_program(name, content):
    """It starts, and ends."""
    if name == "containerzd":
        (content / "usr/sbin/containerzd").write_text("#!/bin/sh\nexit 1\n")


def broken_script(name, content):
    if name == "cz-runtime":
        script = content / "DEBIAN/postinst"
        script.write_text("#!/bin/sh\nexit 1\n")


def broken_dependency(name, content):
    if name == "cz-janitor":
        control = content / "DEBIAN/control"
        control.write_text(control.read_text().replace("Depends: ", "Depends: no-such-thing, "))


@pytest.mark.parametrize("change", [broken_program, broken_script, broken_dependency])
def test_a_broken_package_leaves_the_old_version(installed, archive, signer, tmp_path, change):
    box, operator = installed
    old = version(box)
    before = box.output("md5sum", "/usr/sbin/containerzd", "/usr/sbin/cz-runtime",
                        "/etc/containerz/authz.json", "/etc/default/containerzd")
    box.copy_in(signer.public, "/etc/containerz/upgrade-keys/owner.pem")
    newer = signer.sign(*newer_packages(tmp_path, change=change))
    message = operator.refused("system", "upgrade", *newer, patience=300)
    assert message.splitlines()[-1].startswith("cz: system upgrade: ")
    for path in packages():
        assert version(box, path.name.split("_")[0]) == old
    assert box.output("md5sum", "/usr/sbin/containerzd", "/usr/sbin/cz-runtime",
                      "/etc/containerz/authz.json", "/etc/default/containerzd") == before
    assert box.output("dpkg", "--audit") == ""
    assert all(box.is_active(unit) for unit in DAEMONS)
    operator.cz("image", "list")


def test_going_back_keeps_what_was_configured(installed, signer, tmp_path):
    """Also from the next version on, although the one from before was put together on the device."""
    box, operator = installed
    box.copy_in(signer.public, "/etc/containerz/upgrade-keys/owner.pem")
    policy = "/etc/containerz/authz.json"
    box.run("sed", "-i", 's/"name": "containerz"/"name": "mine"/', policy)
    operator.refused("system", "upgrade",
                     *signer.sign(*newer_packages(tmp_path, change=broken_program)), patience=300)
    assert '"mine"' in box.output("cat", policy)

    def other_policy(name, content):
        if name == "containerzd":
            shipped = content / "etc/containerz/authz.json"
            shipped.write_text(shipped.read_text().replace('"containerz"', '"other"'))
    newer = newer_packages(tmp_path, version="99.1", change=other_policy)
    operator.cz("system", "upgrade", *signer.sign(*newer), patience=240)
    assert version(box) == "99.1"
    assert '"mine"' in box.output("cat", policy)


def test_packages_that_are_not_taken(installed, signer, tmp_path):
    box, operator = installed
    (cz,) = (path for path in newer_packages(tmp_path) if path.name.startswith("cz_"))
    assert ".sig" in operator.refused("system", "upgrade", cz)
    # Nobody is trusted yet.
    assert "upgrade-keys" in operator.refused("system", "upgrade", *signer.sign(cz))
    box.copy_in(signer.public, "/etc/containerz/upgrade-keys/owner.pem")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    assert "signature" in operator.refused(
        "system", "upgrade", *Signer(stranger).sign(cz), code=77)
    signer.sign(cz)
    assert operator.refused("system", "upgrade", cz, client="reader", code=77)
    # Of others, also under a name of ours.
    content = tmp_path / "other"
    (content / "DEBIAN").mkdir(parents=True)
    control = "Package: {}\nVersion: 99\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    for name, package in (("bash", "bash"), ("cz", "bash"), ("containerz-x", "containerz-x")):
        (content / "DEBIAN/control").write_text(control.format(package))
        path = tmp_path / f"{name}_99_all.deb"
        subprocess.run(["dpkg-deb", "--build", content, path], check=True, capture_output=True)
        assert "containerz" in operator.refused("system", "upgrade", *signer.sign(path))
    assert version(box, "bash") != "99"
    # One that changed behind the checks of containerzd, which is not believed.
    inbox, key = "/var/lib/containerzd/upgrade", "0" * 32
    box.run("setpriv", "--reuid", "containerz", "--regid", "containerz", "--clear-groups", "mkdir",
            "-p", f"{inbox}/sets/{key}")
    for file in (path, pathlib.Path(f"{path}.sig")):
        box.copy_in(file, f"{inbox}/sets/{key}/{file.name}")
        box.run("chown", "containerz:", f"{inbox}/sets/{key}/{file.name}")
    box.run("setpriv", "--reuid", "containerz", "--regid", "containerz", "--clear-groups", "sh", "-c",
            f"echo {key} no > {inbox}/request")
    wait_until(lambda: f"id={key}\nstate=failed" in box.run(
        "cat", "/var/lib/containerz-upgrade/result", check=False).stdout, "the refusal")
    assert version(box, "cz") != "99.0"


def test_an_interrupted_upgrade_is_taken_back(installed, signer, tmp_path):
    """Killed while packages are being unpacked, and the device with it."""
    box, operator = installed
    old = version(box)
    box.copy_in(signer.public, "/etc/containerz/upgrade-keys/owner.pem")

    def slow(name, content):
        if name == "cz-runtime":
            (content / "DEBIAN/preinst").write_text("#!/bin/sh\ntouch /run/unpacking; sleep 60\n")
            (content / "DEBIAN/preinst").chmod(0o755)
    newer = signer.sign(*newer_packages(tmp_path, change=slow))
    operator.cz("system", "upgrade", "--no-wait", *newer)
    wait_until(lambda: box.run("test", "-e", "/run/unpacking", check=False).returncode == 0,
               "the packages to be unpacked")
    docker("kill", box.name)
    docker("start", box.name)
    box.wait_for_systemd()
    wait_until(lambda: "state=failed" in box.output("cat", "/var/lib/containerz-upgrade/result"),
               "the recovery")
    for path in packages():
        assert version(box, path.name.split("_")[0]) == old
    assert box.output("dpkg", "--audit") == ""
    assert all(box.is_active(unit) for unit in DAEMONS)


def wait_for_one(name):
    """Waits until an update has been completed or taken back: one container, which runs."""
    def is_settled():
        listed = docker("ps", "--all", "--format", "{{.Names}} {{.State}}").stdout.splitlines()
        mine = [line for line in listed if name in line]
        return mine == [f"{name} running"]
    wait_until(is_settled, f"the update of {name} to be completed or taken back")


def test_a_reboot(installed, archive):
    """In good order, then by a cut of its power amid an update; test_reboot.py cuts the engine's."""
    box, operator = installed
    operator.cz("image", "push", archive, "pkg-web:1")
    for name in "pkg-kept", "pkg-updated":
        operator.cz("container", "start", "pkg-web:1", "--instance", name, "--restart", "always")
    docker("restart", box.name)
    box.wait_for_systemd()

    def wait_for_daemons():
        for unit in (*DAEMONS, "containerzd-tls.socket"):
            wait_until(lambda: box.is_active(unit), unit)
        operator.target = f"{box.address}:9339"
    wait_for_daemons()
    updating = operator.popen("container", "update", "pkg-updated", "pkg-web:1",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    journal = "/var/lib/containerz/updates/pkg-updated.json"
    wait_until(lambda: box.run("grep", "-q", "underway", journal, check=False).returncode == 0
               or updating.poll() is not None, "the update to begin")
    docker("kill", box.name)
    docker("start", box.name)
    updating.communicate(timeout=60)
    box.wait_for_systemd()
    wait_for_daemons()
    wait_for_one("pkg-updated")
    wait_for_one("pkg-kept")
    assert "pkg-web" in operator.cz("image", "list")
    for name in "pkg-updated", "pkg-kept":
        operator.cz("container", "remove", "--force", name)


def test_removal_and_purge(box):
    box.install(*packages())
    box.run("touch", "/var/lib/containerz/here", "/var/lib/containerzd/here")
    box.run("touch", *(f"/etc/containerz/tls/{name}" for name in (
        "server.key", "server.pem", "client-ca.pem")))
    names = [path.name.split("_")[0] for path in packages()]
    box.run("dpkg", "--remove", *names)
    assert box.run("test", "-e", "/etc/containerz/authz.json").returncode == 0
    for unit in DAEMONS:
        assert not box.is_active(unit)
    box.run("dpkg", "--purge", *names)
    left = box.output("sh", "-c", "ls -d /etc/containerz /var/lib/containerz* /var/cache/containerz "
                      "/etc/default/containerzd /etc/default/cz-runtime 2>/dev/null || true")
    assert left == ""
    # Once more, as after a change of mind.
    box.install(*packages())
    assert all(box.is_active(unit) for unit in DAEMONS)
    # What the tools did not make stays, and is named; no private key of theirs is among it.
    box.run("touch", "/etc/containerz/tls/server.key", "/etc/containerz/tls/old.key",
            "/etc/containerz/policy.json")
    done = box.run("dpkg", "--purge", *names)
    assert "/etc/containerz/tls/old.key" in done.stderr
    assert "/etc/containerz/policy.json" in done.stderr
    assert "server.key" not in box.output("find", "/etc/containerz")


NEEDED = {
    "cz": ["containerz-libs"], "cz-pull": ["containerz-libs"],
    "containerzd": ["containerz-libs", "containerz-common"],
    "cz-runtime": ["containerz-libs", "containerz-common"],
    "cz-janitor": ["containerz-libs", "containerz-common"],
    "containerz-upgrade": ["containerz-common"]}


@pytest.mark.parametrize("name", NEEDED)
def test_each_package_alone(box, name):
    box.install(*packages(*NEEDED[name], name))
    assert box.output(name, "--help" if name == "containerz-upgrade" else "--version").strip()
    page = box.output("sh", "-c", f"dpkg --listfiles {name} | grep /man/").split()
    assert page


def test_sizes():
    """What is installed stays small: five programs on one copy of the runtime."""
    installed = {}
    for path in packages():
        size = subprocess.run(["dpkg-deb", "--field", path, "Installed-Size"], check=True,
                              capture_output=True, text=True).stdout
        installed[path.name.split("_")[0]] = int(size) / 1024
    assert sum(installed.values()) <= 48


def test_lintian():
    done = subprocess.run(
        ["lintian", "--pedantic", "--fail-on", "error,warning,info,pedantic", *packages()],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
