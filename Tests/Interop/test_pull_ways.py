"""Ways to a registry: mirrors, credential helpers, proxies and HTTP/2."""

import json
import os
import subprocess
import time

import pytest

import make_image
from conftest import running_stack
from file_servers import Nginx
from gnoi import Device
from harness import PROGRAMS, free_port, wait_until
from puller import NOT_ALLOWED, UNREACHABLE, fails, image_in, pull, remote
from registry import Front, Registry, token_server


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "web.tar"
    with open(path, "wb") as file:
        make_image.make_image(file, ["web:1"], mib=4)
    return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory, archive):
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push(f"docker-archive:{archive}", "apps/web:1")
        yield registry


# --- Mirrors ---


def registries(folder, document):
    path = folder / "registries.json"
    path.write_text(json.dumps(document))
    return path


def mirrored(folder, source, *mirrors):
    """Registries that are reached without TLS, and mirrors of the folder apps in one of them."""
    return registries(folder, {
        "mirrors": [{"prefix": f"{source}/apps", "locations": list(mirrors)}],
        "hosts": {host: {"plainHTTP": True}
                  for host in [source, *(mirror.partition("/")[0] for mirror in mirrors)]}})


def test_a_mirror_is_asked_first(registry, tmp_path):
    nobody = f"localhost:{free_port()}"
    with Front(registry) as mirror:
        file = mirrored(tmp_path, nobody, f"{mirror.address}/apps")
        tarball = pull("--registries", file, "-o", "-", f"{nobody}/apps/web:1")
        assert image_in(tarball)[0] == ["apps/web:1"]
        assert mirror.requests
        # What is not below the prefix is not there.
        fails("--registries", file, "-o", "-", f"{nobody}/applications/web:1", code=UNREACHABLE)


def test_what_a_mirror_does_not_have_is_asked_of_the_next(registry, tmp_path):
    with Front(registry, lambda handler, count: handler.answer(404)) as empty, \
            Front(registry, lambda handler, count: handler.is_blob and handler.cut()) as broken:
        file = mirrored(tmp_path, registry.address, f"{empty.address}/apps",
                        f"{broken.address}/apps")
        tarball = pull("--registries", file, "-o", "-", f"{registry.address}/apps/web:1")
        assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        assert empty.requests and broken.requests
        assert "there is none" in fails(
            "--registries", file, "-o", "-", f"{registry.address}/apps/none:1")


def test_what_a_mirror_breaks_off_the_next_goes_on_with(registry, tmp_path):
    def half(handler, count):
        if not handler.is_blob:
            return False
        answer, body = handler.whole()
        if count > 1:
            return handler.answer(404)
        handler.send_response(answer.status)
        handler.send_header("Content-Length", answer.getheader("Content-Length"))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2])
        return handler.cut()
    with Front(registry, half) as mirror, Front(registry) as source:
        file = mirrored(tmp_path, source.address, f"{mirror.address}/apps")
        tarball = pull("--registries", file, "-o", "-", f"{source.address}/apps/web:1")
        assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        assert any("Range" in headers for _, headers in source.requests)


def test_a_mirror_that_lies_is_found_out(registry, tmp_path):
    def other(handler, count):
        if not handler.is_blob:
            return False
        _, body = handler.whole()
        return handler.answer(200, body=b"\0" * len(body))
    with Front(registry, other) as mirror:
        file = mirrored(tmp_path, registry.address, f"{mirror.address}/apps")
        assert "what came is" in fails(
            "--registries", file, "-o", "-", f"{registry.address}/apps/web:1")


def test_credentials_are_not_for_mirrors(registry, tmp_path):
    def wants_login(handler, count):
        return not handler.headers.get("Authorization") and handler.answer(
            401, {"WWW-Authenticate": 'Basic realm="x"'})
    with Front(registry, wants_login) as mirror, Front(registry, wants_login) as source:
        file = mirrored(tmp_path, source.address, f"{mirror.address}/apps")
        pull("--registries", file, "--username", "robot", "--password-stdin", "-o", "-",
             f"{source.address}/apps/web:1", input=b"s3cret\n")
        assert mirror.requests
        assert not any("Authorization" in headers for _, headers in mirror.requests)


@pytest.mark.parametrize("text, said", [
    ("[]", "not a JSON object"), ('{"mirors": []}', "mirors is not known"),
    ('{"mirrors": [{"locations": []}]}', "prefix is missing"),
    ('{"mirrors": [{"prefix": "a.b", "locations": ["no registry"]}]}', "is not HOST[/PATH]"),
    ('{"hosts": {"a.b": {"plainHTTP": "yes"}}}', "plainHTTP is neither true nor false")])
def test_files_that_are_wrong(tmp_path, text, said):
    (tmp_path / "registries.json").write_text(text)
    line = fails("--registries", tmp_path / "registries.json", "-o", "-", "localhost:1/a")
    assert said in line and "registries.json" in line


# --- Credential helpers ---


HELPER = """#!/bin/sh
[ "$1" = get ] || exit 2
read -r registry
case $registry in
{registry}) printf '{{"ServerURL": "%s", "Username": "{username}", "Secret": "{secret}"}}' "$registry" ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


def with_helper(folder, registry, username, secret, document):
    """An environment with a helper on PATH and a configuration of docker's that names it."""
    helper = folder / "docker-credential-test"
    helper.write_text(HELPER.format(registry=registry, username=username, secret=secret))
    helper.chmod(0o755)
    file = folder / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(document))
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder)}


@pytest.mark.parametrize("way", ["credsStore", "credHelpers"])
def test_a_helper_knows_the_password(registry, tmp_path, way):
    with Front(registry, token_server("robot", "s3cret")) as front:
        document = ({"credsStore": "test"} if way == "credsStore"
                    else {"credHelpers": {front.address: "test"}})
        environment = with_helper(tmp_path, front.address, "robot", "s3cret", document)
        source = ("--plain-http", "-o", "-", f"{front.address}/apps/web:1")
        pull(*source, environment=environment)
        wrong = with_helper(tmp_path, front.address, "robot", "wrong", document)
        fails(*source, environment=wrong, code=NOT_ALLOWED)
        # One that knows nothing of this registry, and one that is not there.
        other = with_helper(tmp_path, "elsewhere.example", "robot", "s3cret", document)
        fails(*source, environment=other, code=NOT_ALLOWED)
        (tmp_path / "docker-credential-test").unlink()
        assert "not on PATH" in fails(*source, environment=other)


def test_the_device_s_own_credentials_are_with_a_helper(
        registry, certificates, tmp_path, unique, monkeypatch):
    with Front(registry, token_server("robot", "s3cret")) as front:
        environment = with_helper(tmp_path, front.address, "robot", "s3cret",
                                  {"credsStore": "test"})
        monkeypatch.setenv("PATH", environment["PATH"])
        file = registries(tmp_path, {"hosts": {front.address: {"plainHTTP": True}}})
        options = ("--pull-authfile", tmp_path / "config.json", "--pull-registries", file)
        with running_stack("docker", tmp_path, certificates, *options) as stack, \
                stack.channel() as channel:
            device, name = Device(channel), unique("fetched")
            remote(device, name, "1", path=f"{front.address}/apps/web:1", protocol="HTTPS")
            device.remove_image(f"{name}:1")


def test_an_identity_token_is_traded_for_a_token(registry, tmp_path):
    """docker login leaves one behind; the token server wants it by POST."""
    seen = []

    def trouble(handler, count):
        if handler.headers.get("Authorization") == "Bearer let-me-in":
            return False
        realm = f"http://{handler.headers['Host']}/token"
        return handler.answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="test"'})

    def post(handler):
        seen.append(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        return handler.answer(200, body=b'{"access_token": "let-me-in"}')
    with Front(registry, trouble, post=post) as front:
        environment = with_helper(tmp_path, front.address, "<token>", "1dentity",
                                  {"credsStore": "test"})
        pull("--plain-http", "-o", "-", f"{front.address}/apps/web:1", environment=environment)
    (form,) = seen
    assert "grant_type=refresh_token" in form and "refresh_token=1dentity" in form
    assert "scope=repository:apps/web:pull" in form


# --- Proxies ---


def test_through_a_proxy(registry):
    """One that is asked for whole URLs."""
    def proxy(handler, count):
        prefix = f"http://{registry.address}"
        assert handler.path.startswith(prefix), handler.path
        handler.path = handler.path.removeprefix(prefix)
        return False
    with Front(registry, proxy) as front:
        source = ("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        pull(*source, environment={"http_proxy": f"http://{front.address}"})
        assert front.requests
        front.requests.clear()
        pull(*source, environment={"http_proxy": f"http://{front.address}",
                                   "no_proxy": "localhost"})
        assert not front.requests


# --- HTTP/2 ---


def test_http2(registry, tmp_path, certificates):
    """But for layers, of which libcurl would take 32 MiB that nobody asked for."""
    with Nginx(tmp_path / "nginx", tls=certificates.server, upstream=registry.port) as nginx:
        source = ("--ca", certificates.authority.certificate, "-o", "-",
                  f"{nginx.address}/apps/web:1")
        tarball = pull(*source)
        assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        for line in nginx.lines():
            assert line.startswith("HTTP/1.1" if "/blobs/" in line else "HTTP/2.0"), line


def test_memory_stays_flat_when_nobody_reads(tmp_path_factory, certificates, tmp_path):
    """The server has 96 MiB to send, by TLS and a front that would speak HTTP/2."""
    path = tmp_path / "large.tar"
    with open(path, "wb") as file:
        make_image.make_image(file, ["large:1"], mib=96)
    with Registry(tmp_path_factory.mktemp("large")) as registry, Nginx(
            tmp_path / "nginx", tls=certificates.server, upstream=registry.port,
            location="proxy_buffering off;") as nginx:
        registry.push(f"docker-archive:{path}", "large:1", "--dest-compress-format", "zstd")
        process = subprocess.Popen(
            [PROGRAMS / "cz-pull", "--ca", certificates.authority.certificate, "-o", "-",
             f"{nginx.address}/large:1"], stdout=subprocess.PIPE)

        def anonymous():
            with open(f"/proc/{process.pid}/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        received = 0
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            received += len(chunk)
            if received > 8 << 20:
                break
        # Nobody reads: what it holds now is all it will ever hold.
        wait_until(lambda: anonymous() == (time.sleep(1), anonymous())[1], "it to come to rest")
        assert anonymous() < 24 << 10
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            received += len(chunk)
        assert process.wait() == 0 and received > 96 << 20
