"""The examples of the README that compose programs, run as they are written."""

import contextlib
import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading

import pytest
import yaml

import make_image
from conftest import engine_socket
from documents import examples
from fake_runtime import FakeRuntime
from harness import AUTHZ_POLICY, PROGRAMS, Daemon
from registry import Registry

# All are this machine.
HOSTS = ["localhost", "device", "registry.example", "berlin.example", "tokyo.example"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory, certificates):
    """registry.example:5000, for who believes in the test's hosts and authorities."""
    folder = tmp_path_factory.mktemp("registry")
    tls = certificates.authority.issue(
        "registry", ",".join(f"DNS:{host}" for host in HOSTS), "serverAuth")
    with Registry(folder, tls=tls, port=5000) as registry:
        for tag in "1.2", "1.3":
            with open(folder / "web.tar", "wb") as file:
                make_image.make_image(file, ["web:1"], mib=2, text=f"{tag}\n")
            registry.push(f"docker-archive:{folder}/web.tar", f"apps/web:{tag}")
        yield registry


def mounts(certificates, folder):
    """Commands for a mount namespace with a hosts file and authorities of its own."""
    (folder / "hosts").write_text(f"127.0.0.1 {' '.join(HOSTS)}\n")
    return (f"mount --bind {folder}/hosts /etc/hosts\n"
            f"mount --bind {certificates.authority.certificate} "
            "/etc/ssl/certs/ca-certificates.crt\n")


def shell(script, certificates, folder, environment):
    """A shell with that, and a client's certificate."""
    certificate, key = certificates.client
    environment = os.environ | {
        "PATH": f"{PROGRAMS.resolve()}:{os.environ['PATH']}", "HOME": str(folder),
        "CZ_CA": str(certificates.authority.certificate), "CZ_CERT": str(certificate),
        "CZ_KEY": str(key)} | environment
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-euo", "pipefail", "-c",
         f"{mounts(certificates, folder)}{script}"], cwd=folder, env=environment,
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def run(script, stack, folder):
    return shell(script, stack.certificates, folder, {
        "CZ_TARGET": f"localhost:{stack.port}", "CZ_RUNTIME_SOCKET": str(stack.runtime_socket)})


def test_images_from_registries(registry, docker_stack, docker_device, tmp_path):
    through, several, changed = examples("Images from registries and file servers")
    run(through, docker_stack, tmp_path)
    assert "apps/web:1.2" in docker_device.images()
    docker_device.remove_image("apps/web:1.2")
    run(several, docker_stack, tmp_path)
    assert {"apps/web:1.2", "apps/web:1.3"} <= set(docker_device.images())
    assert len(list((tmp_path / ".cache/containerz/blobs/sha256").iterdir())) == 5
    docker_device.remove_image("apps/web:1.2")
    docker_device.remove_image("apps/web:1.3")
    (tmp_path / "web.digest").touch()
    run(changed, docker_stack, tmp_path)
    assert "apps/web:1.3" in docker_device.images()
    docker_device.remove_image("apps/web:1.3")
    run(changed, docker_stack, tmp_path)
    assert "apps/web:1.3" not in docker_device.images()


def test_by_hand(docker_stack, docker_device, certificates, tmp_path):
    *_, client, _, filters = examples("By hand")
    client = client.replace("logs -f", "logs").splitlines(keepends=True)
    for old, new in {"ca.pem": certificates.authority.certificate,
                     "operator.pem": certificates.client[0],
                     "operator.key": certificates.client[1]}.items():
        (tmp_path / old).symlink_to(new)
    with open(tmp_path / "web.tar", "wb") as file:
        make_image.make_image(file, ["apps/web:1.2"])
    environment = {"DOCKER_HOST": f"unix://{engine_socket('docker')}",
                   "CZ_RUNTIME_SOCKET": str(docker_stack.runtime_socket)}
    certificate, key = certificates.authority.issue("device", "DNS:device", "serverAuth")
    with Daemon("containerzd", "--listen", "127.0.0.1:9339", "--runtime-socket",
                docker_stack.runtime_socket, "--tls-cert", certificate, "--tls-key", key,
                "--client-ca", certificates.authority.certificate, "--authz-policy", AUTHZ_POLICY):
        docker_device.push(make_image.image_bytes(text="1.3"), "apps/web", "1.3")
        shell("docker load --quiet --input web.tar\n" + "".join(client[:-1]),
              certificates, tmp_path, environment)
        assert docker_device.containers()["web"].image_name == "apps/web:1.3"
        # What the last two lines are for: one stops it and removes everything, the other one finds
        # what was stopped.
        shell(f"{client[0]}cz container stop web\n{filters}", certificates, tmp_path, environment)
        assert "web" not in docker_device.containers()
        docker_device.start("apps/web:1.2", "web")
        shell(client[0] + client[-1], certificates, tmp_path, environment)
        assert not {"web", "apps/web:1.2"} & {*docker_device.containers(), *docker_device.images()}
    docker_device.remove_image("apps/web:1.3")


# --- Fleets ---


@pytest.fixture(scope="module")
def leaves(registry, certificates, tmp_path_factory):
    """The devices of the README's file, which is in the folder, each with a fake engine."""
    folder = tmp_path_factory.mktemp("fleet")
    file, *_ = examples("Fleets")
    (folder / "fleet.txt").write_text(file)
    leaves = []
    with contextlib.ExitStack() as stack:
        for address, name, server, _, site in map(str.split, file.splitlines()):
            subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
            stack.callback(subprocess.run,
                           ["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)
            host = server.removeprefix("server-name=")
            certificate, key = certificates.authority.issue(
                host, f"DNS:{host},IP:{address}", "serverAuth")
            leaf = stack.enter_context(FakeRuntime(folder / f"{name}.sock"))
            leaf.address, leaf.site = address, site.removeprefix("site=")
            stack.enter_context(Daemon(
                "containerzd", "--listen", f"{address}:9339", "--runtime-socket", leaf.path,
                "--tls-cert", certificate, "--tls-key", key, "--client-ca",
                certificates.authority.certificate, "--authz-policy", AUTHZ_POLICY,
                # The site's cache runs on the device itself here.
                "--pull-from", f"{leaf.site}.example",
                prefix=["unshare", "--mount", "bash", "-euc",
                        f"{mounts(certificates, folder)}exec \"$@\"", "device"]))
            leaves.append(leaf)
        yield folder, leaves


@pytest.fixture
def web(leaves):
    """All run the version before; what was pulled is gone."""
    for leaf in leaves[1]:
        leaf.containers = {"web": "apps/web:1.2"}
        leaf.images = {"apps/web:1.2"}
    return leaves


@contextlib.contextmanager
def serving(port):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def test_a_fleet_is_driven(web, certificates):
    folder, leaves = web
    _, script, _ = examples("Fleets")
    (folder / "web-1.3.tar").write_bytes(make_image.image_bytes(text="1.3"))
    with serving(8080):
        # Nobody waits for minutes here.
        done = shell(script.replace("--pause 5m", "--pause 1s"), certificates, folder, {})
    assert done.stdout.splitlines()[0].split() == ["TARGET", "NAME", "IMAGE", "STATUS", "ID"]
    assert "leaf3 apps/web" not in done.stdout and "leaf2 apps/web" in done.stdout
    assert [leaf.containers for leaf in leaves] == [{"web": "apps/web:1.3"}] * 3
    (folder / "web-1.3.state").unlink()


def test_a_fleet_with_caches_is_driven_by_a_loop(web, certificates):
    folder, leaves = web
    *_, script = examples("Fleets")
    shell(script, certificates, folder, {})
    assert [leaf.containers for leaf in leaves] == [{"web": "apps/web:1.3"}] * 3
    assert all("apps/web:1.3" in leaf.images for leaf in leaves)
    assert not (folder / "failed").exists()
    assert len((folder / "berlin.jsonl").read_text().splitlines()) == 4
    (folder / "web-1.3.state").unlink()


def test_a_fleet_is_driven_by_an_orchestrator(web, certificates):
    """The playbook's command lines, with what its inventory would say of each host."""
    folder, leaves = web
    (text,) = examples("Fleets", "yaml")
    (play,) = yaml.safe_load(text)
    fetch, upgrade = (task["ansible.builtin.command"]["argv"] for task in play["tasks"])

    def command(arguments, leaf):
        variables = {"inventory_hostname": leaf.address, "site": leaf.site}
        words = [re.sub(r"{{ (\w+) }}", lambda match: variables[match[1]], word)
                 for word in arguments]
        assert not any("{{" in word for word in words)
        return shell(shlex.join(words), certificates, folder, {}).stdout
    for leaf in leaves:
        pulled = json.loads(command(fetch, leaf))
        assert (pulled["name"], pulled["tag"]) == ("apps/web", "1.3")
        assert json.loads(command(upgrade, leaf))["image"] == "apps/web:1.3"
        assert leaf.containers == {"web": "apps/web:1.3"}


def test_the_playbook_runs(web, certificates):
    folder, leaves = web
    (text,) = examples("Fleets", "yaml")
    (folder / "playbook.yml").write_text(text)
    (folder / "inventory").write_text("[devices]\n" + "".join(
        f"{leaf.address} site={leaf.site} ansible_python_interpreter={sys.executable}\n"
        for leaf in leaves))
    done = shell("ansible-playbook -i inventory playbook.yml", certificates, folder, {})
    assert [leaf.containers for leaf in leaves] == [{"web": "apps/web:1.3"}] * 3, done.stdout
