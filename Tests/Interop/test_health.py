"""gRPC's health service, with the client that comes with Python's gRPC."""

import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from conftest import engine_socket, need
from gnoi import DEADLINE, Code, code_of, status_of
from harness import Daemon
from relay import Relay

Status = health_pb2.HealthCheckResponse.ServingStatus
SERVICES = ["", "gnoi.containerz.Containerz"]


class Health:
    def __init__(self, channel):
        self.stub = health_pb2_grpc.HealthStub(channel)

    def check(self, service=""):
        request = health_pb2.HealthCheckRequest(service=service)
        return self.stub.Check(request, timeout=DEADLINE).status

    def list(self):
        answer = self.stub.List(health_pb2.HealthListRequest(), timeout=DEADLINE)
        return {service: response.status for service, response in answer.statuses.items()}

    def watch(self, service=""):
        """The call, whose messages are to be iterated over."""
        return self.stub.Watch(
            health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)


class Device:
    """An engine that can be taken away, and the daemons in front of it."""

    def __init__(self, folder):
        self.folder = folder
        self.relay = Relay(folder / "engine.sock", engine_socket("docker"))
        self.socket = folder / "runtime.sock"
        self.address = f"unix:{folder}/front.sock"

    def runtime(self):
        return Daemon("cz-runtime", "--socket", self.socket, "--engine-socket", self.relay.path,
                      "--engine", "docker", "--state-dir", self.folder / "state")

    def front(self, *options):
        return Daemon("containerzd", "--insecure", "--listen", self.address,
                      "--runtime-socket", self.socket, *options)


@pytest.fixture
def device(tmp_path):
    need("docker")
    return Device(tmp_path)


def test_it_is_as_well_as_cz_runtime_and_the_engine(device):
    with device.front(), grpc.insecure_channel(device.address) as channel:
        health = Health(channel)
        watches = [health.watch(service) for service in SERVICES]
        unknown = health.watch("a.B")
        assert next(unknown).status == Status.SERVICE_UNKNOWN

        def all_become(status):
            for watch in watches:
                assert next(watch).status == status
            for service in SERVICES:
                assert health.check(service) == status
            assert health.list() == dict.fromkeys(SERVICES, status)

        # There is no cz-runtime yet, then one without an engine: all the same.
        all_become(Status.NOT_SERVING)
        with device.runtime():
            device.relay.open()
            all_become(Status.SERVING)
            device.relay.close()
            all_become(Status.NOT_SERVING)
            device.relay.open()
            all_become(Status.SERVING)
        all_become(Status.NOT_SERVING)
        with device.runtime():
            all_become(Status.SERVING)
            device.relay.close()
            all_become(Status.NOT_SERVING)
        assert unknown.is_active()
        for watch in [*watches, unknown]:
            watch.cancel()
        assert code_of(health.check, "a.B") is Code.NOT_FOUND
        assert code_of(health.check, "gnoi.containerz") is Code.NOT_FOUND


def test_a_server_that_stops_serves_nothing(device):
    device.relay.open()
    with device.runtime():
        with device.front() as front, grpc.insecure_channel(device.address) as channel:
            health = Health(channel)
            watches = [health.watch(service) for service in SERVICES]
            for watch in watches:
                assert next(watch).status == Status.SERVING
            unknown = health.watch("a.B")
            assert next(unknown).status == Status.SERVICE_UNKNOWN
            front.process.terminate()
            for watch in watches:
                assert next(watch).status == Status.NOT_SERVING
                assert status_of(list, watch) == (Code.UNAVAILABLE, "the server is stopping")
            assert code_of(list, unknown) is Code.UNAVAILABLE
    device.relay.close()


def test_whoever_says_nothing_keeps_no_server_from_stopping(device):
    with device.front() as front, grpc.insecure_channel(device.address) as channel:
        silent = threading.Event()
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)

        def questions():
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            silent.wait(120)
        conversation = stub.ServerReflectionInfo(questions(), timeout=DEADLINE)
        assert next(conversation).list_services_response.service
        front.process.terminate()
        assert status_of(list, conversation) == (Code.UNAVAILABLE, "the server is stopping")
        silent.set()


def test_watches_come_and_go(device):
    device.relay.open()
    # A fast machine breaks off more of them in a second than a client may.
    with device.runtime(), device.front("--max-resets", "1000"), grpc.insecure_channel(
            device.address) as channel:
        health = Health(channel)
        for _ in range(300):
            watch = health.watch()
            assert next(watch).status == Status.SERVING
            watch.cancel()
        assert health.check() == Status.SERVING
    device.relay.close()


@pytest.mark.parametrize("client, code", [
    ("reader", Code.OK), ("client", Code.OK), ("nobody", Code.PERMISSION_DENIED)])
def test_it_takes_a_scope(docker_stack, client, code):
    with docker_stack.channel(client) as channel:
        health = Health(channel)
        for service in [*SERVICES, "a.B"]:
            assert code_of(lambda: next(health.watch(service))) is code
        assert code_of(health.check) is code
        assert code_of(health.list) is code
        unknown = Code.NOT_FOUND if code is Code.OK else code
        assert code_of(health.check, "a.B") is unknown
