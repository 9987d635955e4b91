"""What all interop tests share: engines, daemons, certificates, images."""

import contextlib
import itertools
import os
import pathlib
import shutil
import sys
import tempfile
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Support"))

import grpc
import pytest

import gnoi
import make_image
from gnoi import DEADLINE
from guarded import Guarded
from harness import AUTHZ_POLICY, Daemon, free_port
from pki import Certificates

ENGINES = ["docker", "podman"]


def pytest_report_header():
    return [f"{name} at {engine_socket(name)}" for name in ENGINES]


def engine_socket(name):
    return os.environ.get(f"CONTAINERZ_{name.upper()}_SOCKET")


def need(engine):
    """Skips the test where the engine is not there."""
    if not engine_socket(engine):
        pytest.skip(f"no {engine}: run under with-engines")


_attacks = []


@pytest.fixture
def attack(request):
    """Notes what was tried and what it gained; printed at the end of the run."""
    def note(tried, gained):
        _attacks.append(f"{request.node.name}: {tried}: {gained}")
    return note


def pytest_terminal_summary(terminalreporter):
    if _attacks:
        terminalreporter.section("attacks: what was tried: what was gained")
        for line in _attacks:
            terminalreporter.write_line(line)


class Stack:
    """Both daemons beside an engine, and the addresses they serve."""

    def __init__(self, engine, folder, certificates, *front_options):
        self.engine = engine
        self.front_options = front_options
        self.folder = folder
        self.certificates = certificates
        self.runtime_socket = folder / "runtime.sock"
        self.unix_address = f"unix:{folder}/containerzd.sock"
        self.port = free_port()
        self.plain_port = free_port()

    def start(self, stack):
        # The built-in policy has neither plugins nor the network of the device.
        policy = self.folder / "policy.json"
        policy.write_text('{"plugins": {"allow": true}, "networks": ["*"]}')
        self.runtime = stack.enter_context(Daemon(
            "cz-runtime", "serve", "--socket", self.runtime_socket, "--engine", self.engine,
            "--engine-socket", engine_socket(self.engine), "--state-dir", self.folder / "state",
            "--settle-time", "1", "--policy", policy))
        certificate, key = self.certificates.server
        # The tests' registries and file servers are on loopback, which an administrator has to name.
        pulls = () if "--pull-from" in self.front_options else ("--pull-from", "localhost")
        self.front = stack.enter_context(Daemon(
            "containerzd", "--listen", f"127.0.0.1:{self.port}", "--runtime-socket",
            self.runtime_socket, "--tls-cert", certificate, "--tls-key", key, "--client-ca",
            self.certificates.authority.certificate, "--authz-policy", AUTHZ_POLICY,
            "--plugin-dir", self.folder / "plugins", *pulls, *self.front_options))
        # Without TLS a second one: plain text and a unix socket.
        self.plain_front = stack.enter_context(Daemon(
            "containerzd", "--insecure", "--listen", f"127.0.0.1:{self.plain_port}", "--listen",
            self.unix_address, "--runtime-socket", self.runtime_socket, "--plugin-dir",
            self.folder / "plugins"))

    def channel(self, client="client", authority=None, options=()):
        """A channel with mutual TLS."""
        authority = authority or self.certificates.authority
        return gnoi.secure_channel(
            self.port, authority, client and getattr(self.certificates, client), options)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("pki"))


class EchoServer:
    """The transport alone, with three kinds of socket."""

    def __init__(self, folder, certificates):
        self.certificates = certificates
        self.port, self.plain_port = free_port(), free_port()
        self.unix_address = f"unix:{folder}/echo.sock"
        self.daemon = Daemon(
            "echo-server", *certificates.server, certificates.authority.certificate,
            f"127.0.0.1:{self.port}", f"127.0.0.1:{self.plain_port}", self.unix_address)

    def channel(self, kind, options=()):
        if kind == "plain":
            return grpc.insecure_channel(f"127.0.0.1:{self.plain_port}", options)
        if kind == "unix":
            return grpc.insecure_channel(self.unix_address, options)
        return gnoi.secure_channel(
            self.port, self.certificates.authority, self.certificates.client, options)


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory, certificates):
    server = EchoServer(tmp_path_factory.mktemp("echo"), certificates)
    with server.daemon:
        yield server


@pytest.fixture(params=["tls", "plain", "unix"])
def echo(request, echo_server):
    """A client of the echo server on each kind of socket."""
    with echo_server.channel(request.param) as channel:
        yield Echo(channel)


@pytest.fixture
def secure_echo(echo_server):
    with echo_server.channel("tls") as channel:
        yield Echo(channel)


class Echo:
    """The echo service's methods; messages are bytes."""

    def __init__(self, channel):
        self.channel = channel

    def method(self, name):
        return self.channel.stream_stream(f"/interop.Echo/{name}")

    def counts(self):
        """How many handlers run, and how many were cancelled since the start."""
        (text,) = self.method("Counts")(iter([]), timeout=DEADLINE)
        return tuple(map(int, text.split()))


@contextlib.contextmanager
def running_stack(engine, folder, certificates, *front_options):
    need(engine)
    stack = Stack(engine, folder, certificates, *front_options)
    with contextlib.ExitStack() as exit_stack:
        stack.start(exit_stack)
        yield stack


@pytest.fixture(scope="session", params=ENGINES)
def stack(request, tmp_path_factory, certificates):
    """The daemons, on each engine in turn."""
    with running_stack(request.param, tmp_path_factory.mktemp(request.param), certificates) as it:
        yield it


@pytest.fixture(scope="session")
def docker_stack(tmp_path_factory, certificates):
    """The daemons, for what has nothing to do with the engine."""
    with running_stack("docker", tmp_path_factory.mktemp("transport"), certificates) as it:
        yield it


@pytest.fixture
def device(stack):
    """A client with mutual TLS to the daemons on each engine."""
    with stack.channel() as channel:
        yield gnoi.Device(channel)


@pytest.fixture
def docker_device(docker_stack):
    with docker_stack.channel() as channel:
        yield gnoi.Device(channel)


@pytest.fixture(params=ENGINES)
def guarded(request, tmp_path):
    """Both daemons under a policy of the test's own, on each engine in turn; not started yet."""
    need(request.param)
    return Guarded(request.param, engine_socket(request.param), tmp_path)


@pytest.fixture
def default(guarded):
    """The same under the built-in policy, started."""
    with guarded.running():
        yield guarded


@pytest.fixture(scope="session")
def tarball():
    """A docker-archive without a tag."""
    return make_image.image_bytes()


_numbers = itertools.count(1)


@pytest.fixture
def unique():
    """Makes names that no other test uses."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    return lambda kind="x": f"{prefix}-{kind}{next(_numbers)}"


@pytest.fixture
def shared_folder():
    """A folder of the device that the built-in policy allows to bind, removed afterwards."""
    folder = tempfile.mkdtemp(prefix="containerz-test.", dir="/srv")
    os.chmod(folder, 0o755)
    yield pathlib.Path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def image(device, tarball, unique):
    """An image on the device: NAME:TAG, removed afterwards with all its containers."""
    yield from pushed_image(device, tarball, unique)


@pytest.fixture
def docker_image(docker_device, tarball, unique):
    yield from pushed_image(docker_device, tarball, unique)


def pushed_image(device, tarball, unique):
    name = unique("image")
    device.push(tarball, name, "latest")
    yield f"{name}:latest"
    for container in device.containers().values():
        if container.image_name == f"{name}:latest":
            gnoi.code_of(device.remove, container.name)
    gnoi.code_of(device.remove_image, f"{name}:latest", force=True)
