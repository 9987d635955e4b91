"""Tarballs from file servers: nginx, and OpenSSH by SFTP and SCP."""

import base64
import pathlib
import subprocess
import tarfile
import tempfile

import pytest

import make_image
from conftest import running_stack
from cz_client import Client
from file_servers import Nginx, SSHServer
from gnoi import Code, Device
from puller import FAILED, NOT_ALLOWED, UNREACHABLE, USAGE, fails, image_in, pull, remote
from registry import Front


@pytest.fixture(scope="module")
def files():
    """A folder of tarballs, where every user may read."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield fill(pathlib.Path(folder))


def fill(folder):
    folder.chmod(0o755)
    for name, settings in (("web.tar", {}), ("layout.tar", {"format": "oci"})):
        with open(folder / name, "wb") as file:
            make_image.make_image(file, ["web:1"], mib=4, **settings)
    subprocess.run(["gzip", "--keep", folder / "web.tar"], check=True)
    (folder / "web.tar.gz").rename(folder / "web.tgz")
    subprocess.run(["xz", "--keep", "-0", folder / "web.tar"], check=True)
    (folder / "broken.tar").write_bytes((folder / "web.tar").read_bytes()[:1 << 20])
    (folder / "rubbish.tar").write_bytes(b"rubbish" * 1000)
    return folder


@pytest.fixture(scope="module")
def web(tmp_path_factory, files):
    with Nginx(tmp_path_factory.mktemp("nginx"), files) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    with SSHServer(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.mark.parametrize("file", ["web.tar", "web.tgz", "web.tar.xz", "layout.tar"])
def test_a_file_becomes_an_image(web, tmp_path, file):
    out = pull("-o", tmp_path / "x.tar", f"http://{web.address}/{file}")
    assert out == b"web:1\n"
    tags, config = image_in((tmp_path / "x.tar").read_bytes())
    assert tags == ["web:1"] and len(config["rootfs"]["diff_ids"]) == 2
    tarball = pull("--as", "other:2", "-o", "-", f"http://{web.address}/{file}")
    assert image_in(tarball)[0] == ["other:2"]


def test_a_file_as_it_is(web, files):
    tarball = pull("--format", "as-is", "-o", "-", f"http://{web.address}/web.tgz")
    assert tarball == (files / "web.tgz").read_bytes()


def test_into_the_engine(web, docker_stack, docker_device, unique):
    name = unique("pulled")
    pull("--load", "--as", f"{name}:1", "--runtime-socket", docker_stack.runtime_socket,
         f"http://{web.address}/web.tar")
    assert f"{name}:1" in docker_device.images()
    docker_device.remove_image(f"{name}:1")
    fails("--load", "--as", f"{name}:1", "--runtime-socket", docker_stack.runtime_socket,
          f"http://{web.address}/broken.tar")
    assert f"{name}:1" not in docker_device.images()


@pytest.mark.parametrize("file, code, text", [
    ("none.tar", FAILED, "there is none"), ("broken.tar", FAILED, ""), ("rubbish.tar", FAILED, "")])
def test_files_that_are_no_image(web, tmp_path, file, code, text):
    assert text in fails("-o", tmp_path / "x.tar", f"http://{web.address}/{file}", code=code)
    assert list(tmp_path.iterdir()) == []


def test_with_tls(tmp_path, files, certificates):
    with Nginx(tmp_path / "nginx", files, tls=certificates.server) as nginx:
        url = f"https://{nginx.address}/web.tar"
        pull("--ca", certificates.authority.certificate, "-o", "-", url)
        assert nginx.lines()[-1].split()[1] == "200"
        assert "no secure connection" in fails("-o", "-", url, code=UNREACHABLE)


class Upstream:
    """What a Front passes requests on to."""

    def __init__(self, port):
        self.port = port


def cut(handler, count):
    """Half of it, and later the rest."""
    if count > 2:
        return False
    answer, body = handler.whole()
    handler.send_response(answer.status)
    for key in "Content-Length", "Content-Range", "ETag":
        if answer.getheader(key):
            handler.send_header(key, answer.getheader(key))
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    return handler.cut()


def test_it_goes_on_where_it_broke_off(web, files):
    with Front(Upstream(web.port), cut) as front:
        tarball = pull("--format", "as-is", "-o", "-", f"http://{front.address}/web.tar")
        assert tarball == (files / "web.tar").read_bytes()
        assert [headers.get("Range") for _, headers in front.requests][0] is None
        assert all("Range" in headers for _, headers in front.requests[1:])


@pytest.mark.parametrize("status", [200, 206])
def test_a_file_that_changes_meanwhile(web, status):
    def trouble(handler, count):
        if count == 1:
            return cut(handler, count)
        return handler.answer(status, {"ETag": '"another"'}, b"x" * (8 << 20))
    with Front(Upstream(web.port), trouble) as front:
        assert "it changed while it was fetched" in fails(
            "-o", "-", f"http://{front.address}/web.tar")


def test_a_name_and_a_password(web):
    expected = "Basic " + base64.b64encode(b"robot:s3cret").decode()

    def trouble(handler, count):
        return handler.headers.get("Authorization") != expected and handler.answer(401)
    with Front(Upstream(web.port), trouble) as front:
        source = ("-o", "-", f"http://{front.address}/web.tar")
        pull("--username", "robot", "--password-stdin", *source, input=b"s3cret\n")
        line = fails("--username", "robot", "--password-stdin", *source, input=b"wrong-s3cret\n",
                     code=NOT_ALLOWED)
        assert "s3cret" not in line
        fails(*source, code=NOT_ALLOWED)


# --- SFTP and SCP ---


@pytest.mark.parametrize("scheme", ["sftp", "scp"])
def test_by_ssh(ssh, files, tmp_path, scheme):
    options = ("--username", ssh.user, "--identity", ssh.key, "--known-hosts", ssh.known_hosts)
    tarball = pull(*options, "--format", "as-is", "-o", "-", ssh.url(scheme, files / "web.tgz"))
    assert tarball == (files / "web.tgz").read_bytes()
    assert pull(*options, "-o", tmp_path / "x.tar",
                ssh.url(scheme, files / "web.tar")) == b"web:1\n"
    assert "there is no such file" in fails(*options, "-o", "-", ssh.url(scheme, files / "no.tar"))


def test_a_server_has_to_be_known(ssh, files, tmp_path):
    url = ssh.url("sftp", files / "web.tar")
    login = ("--username", ssh.user, "--identity", ssh.key, "-o", "-")
    unknown = tmp_path / "known_hosts"
    for text in "", f"[localhost]:{ssh.port} {open(f'{ssh.key}.pub').read()}":
        unknown.write_text(text)
        assert "no secure connection" in fails(
            *login, "--known-hosts", unknown, url, code=UNREACHABLE)
    fails(*login, "--known-hosts", tmp_path / "none", url, code=UNREACHABLE)


def test_a_key_that_the_server_does_not_know(ssh, files, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"],
                   check=True)
    line = fails(
        "--username", ssh.user, "--identity", tmp_path / "other", "--known-hosts",
        ssh.known_hosts, "-o", "-", ssh.url("sftp", files / "web.tar"), code=NOT_ALLOWED)
    assert "does not accept the credentials" in line
    line = fails(
        "--username", ssh.user, "--password-stdin", "--known-hosts", ssh.known_hosts, "-o", "-",
        ssh.url("scp", files / "web.tar"), input=b"wrong-s3cret\n", code=NOT_ALLOWED)
    assert "s3cret" not in line


@pytest.mark.parametrize("arguments", [
    ["--format", "oci", "https://x/y.tar"], ["--platform", "linux/arm64", "https://x/y.tar"],
    ["--cache", "/tmp", "https://x/y.tar"], ["--plain-http", "https://x/y.tar"],
    ["ftp://x/y.tar"], ["https://user:secret@x/y.tar"], ["--format", "as-is", "localhost:1/a"]])
def test_usage(arguments):
    pull("-o", "-", *arguments, code=USAGE)


# --- Through the API ---


@pytest.fixture(scope="module")
def fetching(tmp_path_factory, certificates, ssh):
    options = "--pull-known-hosts", ssh.known_hosts
    folder = tmp_path_factory.mktemp("fetching")
    with running_stack("docker", folder, certificates, *options) as stack:
        yield stack


def test_the_device_fetches_a_file(web, fetching, unique):
    with fetching.channel() as channel:
        device = Device(channel)
        name = unique("fetched")
        progress, success = remote(
            device, name, "1", path=f"{web.address}/web.tgz", protocol="HTTP")
        assert progress and (success.name, success.tag) == (name, "1")
        assert success.image_size > 4 << 20 and f"{name}:1" in device.images()
        device.remove_image(f"{name}:1")


@pytest.mark.parametrize("code, path", [
    (Code.NOT_FOUND, "none.tar"), (Code.DATA_LOSS, "broken.tar"), (Code.DATA_LOSS, "rubbish.tar")])
def test_what_the_device_cannot_fetch(web, fetching, unique, code, path):
    with fetching.channel() as channel, Device(channel).deploy() as deploy:
        deploy.transfer(unique("fetched"), "1", 0, remote_download={
            "path": f"{web.address}/{path}", "protocol": "HTTP"})
        deploy.close()
        assert deploy.status() == code


@pytest.mark.parametrize("protocol", ["SFTP", "SCP"])
def test_the_device_logs_in_by_ssh_with_the_clients_password(ssh, fetching, files, unique, protocol):
    path = f"localhost:{ssh.port}:{files / 'web.tar'}"
    name = unique("fetched")
    with fetching.channel() as channel:
        device = Device(channel)
        _, success = remote(device, name, "1", path=path, protocol=protocol, credentials={
            "username": ssh.robot, "cleartext": ssh.password})
        assert success.image_size > 4 << 20 and f"{name}:1" in device.images()
        device.remove_image(f"{name}:1")
        with device.deploy() as deploy:
            deploy.transfer(name, "1", 0, remote_download={
                "path": path, "protocol": protocol,
                "credentials": {"username": ssh.robot, "cleartext": "wrong"}})
            deploy.close()
            assert deploy.status() == Code.UNAUTHENTICATED
        assert ssh.password not in fetching.front.text()


def test_cz_has_the_device_fetch_a_file(ssh, web, fetching, files, unique):
    cz = Client(fetching)
    name = unique("fetched")
    for source in f"http://{web.address}/web.tgz", ssh.url("sftp", files / "web.tar"):
        login = (("--username", ssh.robot, "--password-stdin") if source.startswith("sftp") else ())
        out = cz.run("image", "pull", f"{name}:1", "--from", source, *login,
                     input=f"{ssh.password}\n".encode())
        assert out == f"{name}:1\n"
        cz.run("image", "remove", f"{name}:1")
    for source in "ftp://x/y.tar", "https://x/y", "sftp://robot:secret@x/y.tar", "sftp://x":
        cz.run("image", "pull", f"{name}:1", "--from", source, code=USAGE)


def test_the_device_fetches_a_plugin(web, fetching, files, unique):
    # What it does when it runs is another test's business.
    with tarfile.open(files / "plugin.tar", "w") as tar:
        make_image.add(tar, "plugin", b"program", 0o755)
    with fetching.channel() as channel:
        device = Device(channel)
        name = unique("plugin")
        _, success = remote(
            device, name, "", path=f"{web.address}/plugin.tar", protocol="HTTP", is_plugin=True)
        assert success.image_size == (files / "plugin.tar").stat().st_size
        device.remove_plugin_tar(name)
        # No plugin, and nothing that a registry has.
        for code, path in (Code.DATA_LOSS, "rubbish.tar"), (Code.INVALID_ARGUMENT, "plugin"):
            with device.deploy() as deploy:
                deploy.transfer(name, "", 0, is_plugin=True, remote_download={
                    "path": f"{web.address}/{path}", "protocol": "HTTP"})
                deploy.close()
                assert deploy.status() == code
