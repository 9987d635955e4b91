"""The examples of the README that compose programs, run as they are written."""

import os
import pathlib
import re
import subprocess

import pytest

import make_image
from harness import PROGRAMS
from registry import Registry

README = pathlib.Path(__file__).parents[2] / "README.md"


def examples(heading):
    """The code blocks of a section."""
    section = README.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def registry(tmp_path_factory, certificates):
    """registry.example:5000, for who believes in the test's hosts and authorities."""
    folder = tmp_path_factory.mktemp("registry")
    tls = certificates.authority.issue(
        "registry", "DNS:registry.example,DNS:localhost", "serverAuth")
    with Registry(folder, tls=tls, port=5000) as registry:
        for tag in "1.2", "1.3":
            with open(folder / "web.tar", "wb") as file:
                make_image.make_image(file, ["web:1"], mib=2, text=f"{tag}\n")
            registry.push(f"docker-archive:{folder}/web.tar", f"apps/web:{tag}")
        yield registry


def run(script, stack, folder):
    """A shell with a hosts file and authorities of its own."""
    certificates = stack.certificates
    (folder / "hosts").write_text("127.0.0.1 localhost registry.example\n")
    certificate, key = certificates.client
    environment = os.environ | {
        "PATH": f"{PROGRAMS.resolve()}:{os.environ['PATH']}", "HOME": str(folder),
        "CZ_TARGET": f"localhost:{stack.port}", "CZ_CA": str(certificates.authority.certificate),
        "CZ_CERT": str(certificate), "CZ_KEY": str(key),
        "CZ_RUNTIME_SOCKET": str(stack.runtime_socket)}
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-euo", "pipefail", "-c",
         f"mount --bind {folder}/hosts /etc/hosts\n"
         f"mount --bind {certificates.authority.certificate} /etc/ssl/certs/ca-certificates.crt\n"
         f"{script}"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


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
