"""The examples of the manual pages, run as they are written, on a machine that looks as they say."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import make_image
from cz_client import tls_init
from documents import MAN, blocks
from harness import AUTHZ_POLICY, PROGRAMS, Daemon


def run(script, folder, binds=(), **environment):
    """A shell in whose eyes files of the test's are where the pages have them."""
    mounts = [f"mkdir -p {pathlib.Path(target).parent}; touch {target}; mount --bind {source} {target}"
              for source, target in binds]
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-euo", "pipefail", "-c",
         "\n".join(["mount -t tmpfs none /run/containerz" if binds else "", *mounts, script])],
        cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PATH": f"{PROGRAMS.resolve()}:{os.environ['PATH']}",
                          "HOME": str(folder)} | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def run_folder():
    """Where the daemons' sockets are, for the mounts to lie over."""
    pathlib.Path("/run/containerz").mkdir(exist_ok=True)


@pytest.fixture
def runtime(docker_stack):
    return [(docker_stack.runtime_socket, "/run/containerz/runtime.sock")]


@pytest.fixture
def web(docker_device, tmp_path):
    """Makes web.tar, whose image is called as a page has it."""
    names = []

    def make(name):
        names.append(name)
        with open(tmp_path / "web.tar", "wb") as file:
            make_image.make_image(file, [name], mib=1)
        return tmp_path / "web.tar"
    yield make
    for name in names:
        docker_device.remove_image(name)


@pytest.mark.parametrize("page", sorted(path.name for path in MAN.iterdir()))
def test_json_is_sound(page):
    for text in blocks(page):
        if text.startswith("{"):
            json.loads(text)


def test_authorization_policy(tmp_path):
    *_, policy, check = blocks("containerzd-authz.5")
    (tmp_path / "authz.json").write_text(policy)
    run(check, tmp_path)


def test_signing_packages(tmp_path):
    keys, install = blocks("containerz-upgrade.8")
    (tmp_path / "cz_1.0_amd64.deb").write_bytes(b"a package")
    run(keys, tmp_path)
    (tmp_path / "device").mkdir()
    run(install.replace("/etc/containerz/upgrade-keys", "device"), tmp_path)
    run("openssl dgst -sha256 -verify device/upgrade.pem -signature cz_1.0_amd64.deb.sig cz_1.0_amd64.deb",
        tmp_path)


def test_calls_of_the_runtime(runtime, web, docker_device, tmp_path):
    (calls,) = blocks("cz-runtime.8")
    storage, load, logs, *policies = calls.strip().splitlines()
    assert json.loads(run(storage, tmp_path, runtime))["free"] > 0
    web("web:1")
    run(load, tmp_path, runtime)
    assert "web:1" in docker_device.images()
    docker_device.start("web:1", "web")
    try:
        run(logs, tmp_path, runtime)
    finally:
        docker_device.remove("web")
    keys, _ = blocks("containerz-upgrade.8")
    (tmp_path / "cz_1.0_amd64.deb").touch()
    run(keys, tmp_path)
    (tmp_path / "policy.json").write_text(blocks("containerz-policy.5")[-1].replace(
        "/etc/containerz/keys/apps.pub", f"{tmp_path}/upgrade.pem"))
    for check in policies:
        run(check, tmp_path, runtime)


def test_introspection(runtime, tmp_path):
    first, *_ = blocks("cz-runtime-protocol.7")
    _, _, call = re.split(r"\n    (?=\S)", first.strip(), maxsplit=2)
    assert "interface org.containerz.Runtime" in run(call, tmp_path, runtime)


def test_cleaning_up(runtime, tmp_path):
    dry_run, cron, _, script = blocks("cz-janitor.8")
    run(dry_run, tmp_path, runtime)
    # cron's own PATH does not lead to it.
    assert cron.split()[5:7] == ["containerz", "/usr/sbin/cz-janitor"]
    run(f"{script.strip().replace('cz-janitor', 'cz-janitor --dry-run')}", tmp_path, runtime)


def test_the_client(docker_stack, docker_device, web, tmp_path):
    (example,) = [text for text in blocks("cz.1") if "CZ_TARGET=" in text]
    (lab,) = [text for text in blocks("cz.1") if "tls init" in text]
    socket = os.environ["CONTAINERZ_DOCKER_SOCKET"]
    assert "tls init lab --server switch1" in lab
    tls_init(tmp_path / "lab", "--server", "switch1")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost switch1\n")
    for name in ("ca.pem", "operator.pem", "operator.key"):
        (tmp_path / name).symlink_to(f"lab/{name}")
    device = tmp_path / "lab/device"
    with Daemon("containerzd", "--listen", "127.0.0.1:9339", "--tls-dir", device, "--authz-policy",
                AUTHZ_POLICY, "--runtime-socket", docker_stack.runtime_socket):
        subprocess.run(["docker", "--host", f"unix://{socket}", "load", "--input", web("apps/web:1.2")], check=True,
                       capture_output=True)
        try:
            listed = run(example, tmp_path, [(hosts, "/etc/hosts")], DOCKER_HOST=f"unix://{socket}")
            assert "web" in listed.split()
            run(lab.splitlines()[-1], tmp_path, [(hosts, "/etc/hosts")])
        finally:
            docker_device.remove("web")
