"""Attacks by way of the images that a device fetches itself: to reach what only the device can
reach, and to read what its cache keeps of others.

Each attack is judged by what arrived at the server that must not be reached, or by what came back,
and not by the status alone.
"""

import contextlib
import hashlib
import json
import pathlib
import socket
import subprocess
import threading

import pytest

import make_image
from conftest import running_stack
from gnoi import Code, Device
from harness import PROGRAMS, wait_until
from puller import FAILED, NOT_ALLOWED, UNREACHABLE, fails, pull, remote
from registry import Front, Registry


class Victim:
    """A service on this machine that notes who connects to it, at each of its addresses."""

    def __init__(self):
        self.connections = []
        self.listeners = []

    def __enter__(self):
        first = socket.create_server(("0.0.0.0", 0))
        self.port = first.getsockname()[1]
        second = socket.create_server(("::", self.port), family=socket.AF_INET6)
        for listener in first, second:
            self.listeners.append(listener)
            threading.Thread(target=self.serve, args=[listener], daemon=True).start()
        return self

    def serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    self.connections.append(connection.getsockname())
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def own_address():
    """An address of an interface of this machine that is not loopback; none is no failure."""
    found = json.loads(subprocess.run(["ip", "-json", "address"], check=True,
                                      capture_output=True).stdout)
    return [address["local"] for link in found if link["ifname"] != "lo"
            for address in link["addr_info"] if address["scope"] == "global"]


@pytest.fixture(scope="module")
def victim():
    with Victim() as victim:
        yield victim


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, certificates):
    """A device whose administrator names other hosts: any, and none of this machine."""
    with running_stack("docker", tmp_path_factory.mktemp("guarded"), certificates,
                       "--pull-from", "*") as stack:
        yield stack


def refused(stack, name="escape", is_plugin=False, **download):
    """Deploys, which ought to fail; the status and its text."""
    with stack.channel() as channel, Device(channel).deploy() as deploy:
        deploy.transfer(name, "1", 0, remote_download=download, is_plugin=is_plugin)
        deploy.close()
        code = deploy.status()
        return code, deploy.call.details()


SPELLINGS = [
    "127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.",
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "%6cocalhost", "0", "0.0.0.0", "[::1]",
    "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]"]


@pytest.mark.parametrize("host", SPELLINGS)
def test_loopback_by_any_spelling(guarded, victim, host):
    """As a file on a server, and where the API takes it, as a registry."""
    victim.connections.clear()
    code, text = refused(guarded, path=f"{host}:{victim.port}/x.tar", protocol="HTTP")
    assert code in (Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT), text
    code, _ = refused(guarded, path=f"{host}:{victim.port}/apps/web:1", protocol="HTTP")
    assert code in (Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT)
    assert victim.connections == []


@pytest.mark.parametrize("host", [
    "169.254.169.254", "[fe80::1]", "[fe80::1%25lo]", "224.0.0.1", "[ff02::1%25lo]",
    "255.255.255.255", "100.100.100.200", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]", "0xa9fea9fe", "2852039166"])
def test_link_local_metadata_and_multicast(guarded, host):
    code, text = refused(guarded, path=f"{host}/latest/x.tar", protocol="HTTP")
    assert code is Code.PERMISSION_DENIED and "--pull-from" in text, text


def test_the_addresses_of_the_device(guarded, victim):
    addresses = own_address()
    assert addresses, "this machine has no address but loopback"
    victim.connections.clear()
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        code, text = refused(guarded, path=f"{host}:{victim.port}/x.tar", protocol="HTTP")
        assert code is Code.PERMISSION_DENIED, text
        assert f"{address} is an address of this device" in text
    assert victim.connections == []


def test_addresses_that_are_routed_to_the_device(guarded, victim):
    """Which no interface has."""
    victim.connections.clear()
    for network, host in ("198.51.100.0/24", "198.51.100.9"), ("2001:db8:9::/64", "[2001:db8:9::9]"):
        subprocess.run(["ip", "route", "add", "local", network, "dev", "lo"], check=True)
        try:
            with socket.create_connection((host.strip("[]"), victim.port)):
                wait_until(lambda: victim.connections, "the route to lead here")
            victim.connections.clear()
            code, text = refused(guarded, path=f"{host}:{victim.port}/x.tar", protocol="HTTP")
        finally:
            subprocess.run(["ip", "route", "del", "local", network, "dev", "lo"], check=True)
        assert code is Code.PERMISSION_DENIED and "an address of this device" in text, text
    assert victim.connections == []


def test_the_message_says_what_and_how_to_allow_it(guarded, victim):
    code, text = refused(guarded, path=f"127.1:{victim.port}/x.tar", protocol="HTTP")
    assert code is Code.PERMISSION_DENIED
    assert text == (f"cannot connect to 127.0.0.1:{victim.port}: 127.0.0.1 is a loopback address, "
                    f"which is denied; containerzd's --pull-from 127.0.0.1:{victim.port} would "
                    "allow it")


@pytest.mark.parametrize("protocol", ["SFTP", "SCP"])
def test_ssh(guarded, victim, protocol):
    victim.connections.clear()
    for host in "localhost", "127.1", "[::1]":
        code, text = refused(guarded, path=f"{host}:{victim.port}:/x.tar", protocol=protocol,
                             credentials={"username": "root", "cleartext": "x"})
        assert code is Code.PERMISSION_DENIED, text
    assert victim.connections == []


def test_plugins(guarded, victim):
    victim.connections.clear()
    code, _ = refused(guarded, is_plugin=True, path=f"127.1:{victim.port}/x.tar", protocol="HTTP")
    assert code is Code.PERMISSION_DENIED and victim.connections == []


# --- What a server that may be asked leads to ---


@pytest.fixture(scope="module")
def web_image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "web.tar"
    with open(path, "wb") as file:
        make_image.make_image(file, ["web:1"], mib=1)
    return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory, web_image):
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push(f"docker-archive:{web_image}", "apps/web:1")
        registry.push(f"docker-archive:{web_image}", "apps/copy:1")
        yield registry


def redirects(match, host):
    """Trouble: leads requests for a path to another host of the attacker's choice."""
    def trouble(handler, count):
        return match in handler.path and handler.answer(
            307, {"Location": f"http://{host}{handler.path}"})
    return trouble


@contextlib.contextmanager
def evil(registry, certificates, folder, trouble):
    """A device that may ask an evil registry, by its name and port, and nobody else here."""
    with Front(registry, trouble) as front, running_stack(
            "docker", folder, certificates, "--pull-from", front.address, "--pull-from",
            "*") as stack:
        yield front, stack


@pytest.mark.parametrize("match", ["/manifests/", "/blobs/", "/x.tar"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0", "[::1]", "169.254.169.254"])
def test_redirects(registry, victim, certificates, tmp_path, match, host):
    target = f"{host}:{victim.port}"
    victim.connections.clear()
    with evil(registry, certificates, tmp_path, redirects(match, target)) as (front, stack):
        path = "x.tar" if match == "/x.tar" else "apps/web:1"
        code, text = refused(stack, path=f"{front.address}/{path}", protocol="HTTP")
        assert code is Code.PERMISSION_DENIED and "which is denied" in text, text
        assert front.requests and victim.connections == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
def test_token_servers(registry, victim, certificates, tmp_path, host):
    """What WWW-Authenticate names is asked with the client's credentials."""
    def trouble(handler, count):
        return handler.answer(401, {"WWW-Authenticate": (
            f'Bearer realm="http://{host}:{victim.port}/token",service="x"')})
    victim.connections.clear()
    with evil(registry, certificates, tmp_path, trouble) as (front, stack):
        code, text = refused(stack, path=f"{front.address}/apps/web:1", protocol="HTTP",
                             credentials={"username": "robot", "cleartext": "s3cret"})
        assert code is Code.PERMISSION_DENIED and "s3cret" not in text, text
        assert front.requests and victim.connections == []


# --- Names ---


def pull_with_names(folder, lines, *arguments):
    """cz-pull, where names resolve as the lines of a hosts file say."""
    hosts = folder / "hosts"
    hosts.write_text("".join(f"{line}\n" for line in lines))
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
         PROGRAMS / "cz-pull", *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "169.254.169.254",
                                     "::ffff:127.0.0.1"])
def test_names_that_resolve_to_this_machine(victim, tmp_path, address):
    """The address that is connected to is judged, whatever name led there."""
    victim.connections.clear()
    done = pull_with_names(
        tmp_path, [f"{address} registry.example"], "--deny-local", "--plain-http", "-o", "-",
        f"registry.example:{victim.port}/apps/web:1")
    assert done.returncode == NOT_ALLOWED and victim.connections == [], done.stderr
    assert f"--allow-local registry.example:{victim.port}" in done.stderr


def test_names_of_several_addresses(victim, tmp_path):
    """Each address is judged when it is connected to, so a harmless one does not vouch for the
    next, as with a name that resolves differently the next time."""
    victim.connections.clear()
    for lines in (["192.0.2.1 r.example", "127.0.0.1 r.example"],
                  ["127.0.0.1 r.example", "::1 r.example", "169.254.169.254 r.example"]):
        done = pull_with_names(
            tmp_path, lines, "--deny-local", "-o", "-", f"http://r.example:{victim.port}/x.tar")
        assert done.returncode in (NOT_ALLOWED, UNREACHABLE), done.stderr
    assert victim.connections == []


# --- What the administrator chooses ---


def test_named_hosts_are_allowed_and_no_more(registry, victim, certificates, tmp_path, unique):
    """With the port that was named, and under the name that was named."""
    victim.connections.clear()
    with running_stack("docker", tmp_path, certificates, "--pull-from", registry.address,
                       "--pull-from", "*") as stack, stack.channel() as channel:
        device, name = Device(channel), unique("allowed")
        remote(device, name, "1", path=f"{registry.address}/apps/web:1", protocol="HTTP")
        device.remove_image(f"{name}:1")
        for path in f"127.0.0.1:{registry.port}/apps/web:1", f"localhost:{victim.port}/x.tar":
            code, text = refused(stack, path=path, protocol="HTTP")
            assert code is Code.PERMISSION_DENIED, text
    assert victim.connections == []


def test_wildcards_do_not_allow_this_machine(victim, certificates, tmp_path):
    victim.connections.clear()
    with running_stack("docker", tmp_path, certificates, "--pull-from", "*.localhost") as stack:
        code, text = refused(stack, path=f"a.localhost:{victim.port}/x.tar", protocol="HTTP")
        assert code is Code.PERMISSION_DENIED and "loopback" in text, text
    assert victim.connections == []


def registries(folder, document):
    path = folder / "registries.json"
    path.write_text(json.dumps(document))
    path.chmod(0o644)
    return path


def test_a_mirror_here_is_allowed_and_where_it_redirects_is_not(
        registry, victim, certificates, tmp_path, unique):
    """The administrator names mirrors; a client that names the mirror itself is refused."""
    source = "registry.invalid"
    for trouble, is_allowed in ((lambda handler, count: False), True), (
            redirects("/blobs/", f"localhost:{victim.port}"), False):
        folder = tmp_path / str(is_allowed)
        folder.mkdir()
        victim.connections.clear()
        with Front(registry, trouble) as mirror:
            file = registries(folder, {
                "mirrors": [{"prefix": f"{source}/apps", "locations": [f"{mirror.address}/apps"]}],
                "hosts": {mirror.address: {"plainHTTP": True}}})
            with running_stack("docker", folder, certificates, "--pull-registries", file,
                               "--pull-from", "*") as stack, stack.channel() as channel:
                device, name = Device(channel), unique("mirrored")
                if is_allowed:
                    remote(device, name, "1", path=f"{source}/apps/web:1", protocol="HTTPS")
                    device.remove_image(f"{name}:1")
                    code, _ = refused(stack, path=f"{mirror.address}/apps/web:1", protocol="HTTP")
                    assert code is Code.PERMISSION_DENIED
                else:
                    code, _ = refused(stack, path=f"{source}/apps/web:1", protocol="HTTPS")
                    assert code is not Code.OK
        assert victim.connections == []


def test_a_proxy_is_asked_but_not_for_this_machine(registry, victim):
    """A proxy here is the administrator's. It gets names to resolve, and no address of this kind."""
    def proxy(handler, count):
        handler.path = handler.path.removeprefix("http://registry.example:5000")
        return False
    with Front(registry, proxy) as front:
        environment = {"http_proxy": f"http://{front.address}"}
        source = ("--deny-local", "--plain-http", "-o", "-")
        pull(*source, "registry.example:5000/apps/web:1", environment=environment)
        assert front.requests
        front.requests.clear()
        for host in "169.254.169.254", "localhost:5000", "0x7f.1", "[::1]:5000":
            fails("--deny-local", "-o", "-", f"http://{host}/x.tar", code=NOT_ALLOWED,
                  environment=environment)
        # A host that the proxy is not for is connected to directly, and judged.
        victim.connections.clear()
        fails("--deny-local", "-o", "-", f"http://127.0.0.1:{victim.port}/x.tar", code=NOT_ALLOWED,
              environment=environment | {"no_proxy": "127.0.0.1"})
        assert front.requests == [] and victim.connections == []


def test_cz_pull_in_a_shell_is_not_restricted(registry):
    pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
    pull("--plain-http", "--deny-local", "--allow-local", registry.address, "-o", "-",
         f"{registry.address}/apps/web:1")
    line = fails("--plain-http", "--deny-local", "-o", "-", f"{registry.address}/apps/web:1",
                 code=NOT_ALLOWED)
    assert line.endswith(f"; --allow-local {registry.address} would allow it")


# --- The cache ---


def layer_of(registry, name="apps/web", tag="1"):
    """The descriptors of an image's blobs and its manifest, as anybody with access reads them."""
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.address}/{name}:{tag}"],
        check=True, capture_output=True).stdout
    return json.loads(raw), raw


class Thief:
    """A registry of the attacker's own: it has the victim's manifest, whose digests are no secret,
    and says of each blob that it has it."""

    def __init__(self, registry):
        self.manifest, self.raw = layer_of(registry)
        self.sizes = {blob["digest"]: blob["size"]
                      for blob in [self.manifest["config"], *self.manifest["layers"]]}

    def front(self, port=0):
        return Front(None, self.get, head=self.head, port=port)

    def get(self, handler, count):
        if "/manifests/" in handler.path:
            if not handler.path.endswith("/1"):
                return handler.answer(404)
            return handler.answer(200, {"Content-Type": self.manifest["mediaType"]}, self.raw)
        return handler.answer(404)

    def head(self, handler):
        digest = handler.path.rpartition("/")[2]
        return handler.answer(200, length=self.sizes[digest])


def test_a_manifest_of_another_registry_gets_nothing_from_the_cache(registry, tmp_path):
    cache = tmp_path / "cache"
    pull("--plain-http", "--cache", cache, "-o", "-", f"{registry.address}/apps/web:1")
    with Thief(registry).front() as front:
        loot = tmp_path / "loot.tar"
        assert "there is none" in fails("--plain-http", "--cache", cache, "-o", loot,
                                        f"{front.address}/apps/web:1")
        assert not loot.exists()
        # Its confirmation was not even asked for.
        assert front.heads == []


def test_the_same_on_the_device(registry, certificates, tmp_path, unique):
    """The image that the attacker would get is not there."""
    thief = Thief(registry)
    with thief.front() as front, running_stack(
            "docker", tmp_path, certificates, "--pull-cache", tmp_path / "cache") as stack, \
            stack.channel() as channel:
        device, name = Device(channel), unique("private")
        remote(device, name, "1", path=f"{registry.address}/apps/web:1", protocol="HTTP")
        device.remove_image(f"{name}:1")
        stolen = unique("stolen")
        code, _ = refused(stack, stolen, path=f"{front.address}/apps/web:1", protocol="HTTP")
        assert code is Code.NOT_FOUND and f"{stolen}:1" not in device.images()


def test_another_repository_of_the_same_registry_has_to_deliver_it_itself(registry, tmp_path):
    """One that only claims to have it may be another tenant's."""
    cache = tmp_path / "cache"
    with Front(registry) as front:
        pull("--plain-http", "--cache", cache, "-o", "-", f"{front.address}/apps/web:1")
        front.requests.clear()
        for fetched in 3, 0:
            pull("--plain-http", "--cache", cache, "-o", "-", f"{front.address}/apps/copy:1")
            assert sum("/blobs/" in path for path, _ in front.requests) == fetched
            front.requests.clear()


@pytest.mark.parametrize("status, headers", [
    (401, {"WWW-Authenticate": 'Basic realm="x"'}), (403, {}), (404, {}), (405, {}),
    (302, {"Location": "/login"})])
def test_a_registry_that_no_longer_lets_the_pull_in(registry, tmp_path, status, headers):
    """The manifest may be read, as a public one, and the blobs may not."""
    cache = tmp_path / "cache"
    is_closed = False

    def get(handler, count):
        if handler.path == "/login":
            return handler.answer(200, body=b"log in")
        return is_closed and handler.is_blob and handler.answer(status, headers)

    def head(handler):
        if handler.path == "/login":
            return handler.answer(200, length=6)
        return is_closed and handler.answer(status, headers)
    with Front(registry, get, head=head) as front:
        source = ("--plain-http", "--cache", cache, "-o", tmp_path / "x.tar",
                  f"{front.address}/apps/web:1")
        pull(*source)
        (tmp_path / "x.tar").unlink()
        is_closed = True
        done = subprocess.run([PROGRAMS / "cz-pull", *map(str, source)], capture_output=True,
                              timeout=120)
        assert done.returncode in (FAILED, UNREACHABLE, NOT_ALLOWED), done.stderr
        assert not (tmp_path / "x.tar").exists() and front.heads


def test_plain_http_gets_nothing_that_came_by_tls(tmp_path, web_image, certificates):
    """Without TLS anybody on the way can be the registry, with a manifest of digests alone."""
    cache = tmp_path / "cache"
    with Registry(tmp_path / "registry", tls=certificates.server) as secure:
        secure.push(f"docker-archive:{web_image}", "apps/web:1")
        tls = ("--ca", certificates.authority.certificate, "--cache", cache)
        pull(*tls, "-o", "-", f"{secure.address}/apps/web:1")
        thief = Thief(secure)
    # The same address, taken over.
    with thief.front(port=secure.port) as front:
        fails("--plain-http", "--cache", cache, "-o", tmp_path / "x.tar",
              f"{secure.address}/apps/web:1")
        assert not (tmp_path / "x.tar").exists() and front.requests and front.heads == []


def test_a_half_fetched_layer_of_another_is_not_gone_on_with(registry, tmp_path):
    """An attacker who knows how a private layer ends could have its begin completed."""
    cache = tmp_path / "cache"
    manifest, _ = layer_of(registry)
    blob = max(manifest["layers"], key=lambda layer: layer["size"])
    content = subprocess.run(
        ["curl", "-sSf", f"http://{registry.address}/v2/apps/web/blobs/{blob['digest']}"], check=True,
        capture_output=True).stdout
    assert hashlib.sha256(content).hexdigest() == blob["digest"].removeprefix("sha256:")

    def cut(handler, count):
        if blob["digest"] not in handler.path:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:-10])
        handler.wfile.flush()
        threading.Event().wait(30)
        return True
    with Front(registry, cut) as front:
        process = subprocess.Popen(
            [PROGRAMS / "cz-pull", "--plain-http", "--cache", cache, "-o", tmp_path / "x.tar",
             f"{front.address}/apps/web:1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        partial = pathlib.Path(cache, "partial")
        wait_until(lambda: any(file.stat().st_size >= len(content) - 10 for file in
                               (partial.iterdir() if partial.exists() else ())), "most of it to arrive")
        process.kill()
        process.wait()

    thief = Thief(registry)

    def knows_the_end(handler, count):
        if blob["digest"] not in handler.path:
            return thief.get(handler, count)
        start = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        if int(start) < len(content) - 10:
            return handler.answer(404)
        return handler.answer(206, {"Content-Range": f"bytes {start}-"}, content[int(start):])
    with Front(registry, knows_the_end) as front:
        fails("--plain-http", "--cache", cache, "-o", tmp_path / "loot.tar",
              f"{front.address}/apps/web:1")
        asked = [headers.get("Range") for path, headers in front.requests if blob["digest"] in path]
        assert asked and set(asked) == {None}
        name = blob["digest"].removeprefix("sha256:")
        assert not (cache / "blobs/sha256" / name).exists()
