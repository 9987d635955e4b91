"""A Debian with systemd in a container of the test run's Docker, into which packages are installed."""

import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = ROOT / ".build/packages"
BASE = ROOT / ".build/packaging/base.tar"
SOCKET = os.environ["CONTAINERZ_DOCKER_SOCKET"]
IMAGE = "containerz-base:test"
PATIENCE = 60


def docker(*arguments, check=True, **options):
    done = subprocess.run(
        ["docker", "--host", f"unix://{SOCKET}", *map(str, arguments)],
        **({"capture_output": True, "text": True} | options))
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain: {what}"
        time.sleep(0.1)
    return result


def import_base():
    with open(BASE, "rb") as base:
        docker("import", "--change", 'CMD ["/sbin/init"]', "-", IMAGE, stdin=base)


def packages(*names):
    """The files of packages, of all when none is named."""
    found = {path.name.split("_")[0]: path for path in PACKAGES.glob("*.deb")}
    return [found[name] for name in names or found]


class Box:
    """One of them, with the engine's own socket in it."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        docker("run", "--detach", "--name", self.name, "--cap-add", "SYS_ADMIN", "--cap-add",
               "NET_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt",
               "apparmor=unconfined", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
               "--cgroupns=private", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--volume",
               f"{SOCKET}:/run/docker.sock", "--volume", f"{PACKAGES}:/packages:ro", IMAGE,
               "/sbin/init")
        self.wait_for_systemd()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            print(self.run("journalctl", "--no-pager", "--lines", "200", check=False).stdout)
            print(self.run("systemctl", "--failed", "--no-pager", check=False).stdout)
        docker("rm", "--force", "--volumes", self.name)

    def wait_for_systemd(self):
        def is_up():
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in ("running", "degraded")
        wait_until(is_up, "systemd to be up")

    def run(self, *command, check=True, **options):
        return docker("exec", "--interactive", self.name, *command, check=check, **options)

    def output(self, *command):
        return self.run(*command).stdout

    def install(self, *paths):
        return self.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install",
                        *[f"/packages/{path.name}" for path in paths])

    def is_active(self, unit):
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"

    def copy_in(self, source, target):
        docker("cp", source, f"{self.name}:{target}")

    @property
    def address(self):
        found = json.loads(docker("inspect", self.name).stdout)[0]
        return found["NetworkSettings"]["IPAddress"]

    def cz(self, *arguments, **options):
        """cz inside, as root, by the unix socket."""
        return self.run("cz", "--target", "unix:/run/containerz/containerzd.sock",
                        *map(str, arguments), **options)
