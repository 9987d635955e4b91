"""The files in which the daemons keep metrics for Prometheus."""

import re
import socket
import time

import grpc
import pytest

from conftest import engine_socket, need
from gnoi import DEADLINE, Code, Device, code_of
from harness import Daemon, runtime_call, wait_until

CONTAINERZ = "gnoi.containerz.Containerz"
RUNTIME = "org.containerz.Runtime"


class Metrics:
    """A file of metrics, read as strictly as node_exporter does."""

    SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([0-9.e+-]+)')

    def __init__(self, path):
        assert path.stat().st_mode & 0o777 == 0o644
        text = path.read_text()
        assert text.endswith("\n")
        self.samples, self.types, helped = {}, {}, set()
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split()[2]
                assert name not in helped
                helped.add(name)
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name in helped and kind in ("counter", "gauge")
                assert (kind == "counter") == name.endswith("_total")
                self.types[name] = kind
            else:
                name, labels, value = self.SAMPLE.fullmatch(line).groups()
                assert name in self.types
                key = name, frozenset(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels or ""))
                assert key not in self.samples
                self.samples[key] = float(value)

    def get(self, name, **labels):
        return self.samples.get((name, frozenset(labels.items())))


class Daemons:
    """Both, each with a file."""

    def __init__(self, folder, engine):
        self.folder = folder
        self.runtime_socket = folder / "runtime.sock"
        self.runtime_file, self.front_file = folder / "runtime.prom", folder / "front.prom"
        self.address = f"unix:{folder}/front.sock"
        self.engine = engine

    def runtime(self, *options):
        return Daemon(
            "cz-runtime", "--socket", self.runtime_socket, "--engine", "docker",
            "--engine-socket", self.engine, "--state-dir", self.folder / "state",
            "--settle-time", "0.2", "--metrics-file", self.runtime_file, *options)

    def front(self, file=None):
        return Daemon(
            "containerzd", "--insecure", "--listen", self.address, "--runtime-socket",
            self.runtime_socket, "--plugin-dir", self.folder / "plugins", "--metrics-file",
            file or self.front_file)


@pytest.fixture
def daemons(tmp_path):
    need("docker")
    return Daemons(tmp_path, engine_socket("docker"))


def bare_call(channel, method):
    return channel.unary_unary(method)(b"", timeout=DEADLINE)


def test_both_count_what_they_did_by_the_time_they_end(daemons, tarball, unique):
    began = time.time()
    image, name = unique("image"), unique()
    with daemons.runtime(), daemons.front(), grpc.insecure_channel(daemons.address) as channel:
        device = Device(channel)
        device.push(tarball, image, "1")
        device.push(tarball, image, "2")
        for _ in range(3):
            device.images()
        device.start(f"{image}:1", name, cmd="/bin/serve 60061")
        device.update(name, f"{image}:2", cmd="/bin/serve 60061")
        assert code_of(device.update, name, f"{image}:2", cmd="/bin/none") is not Code.OK
        assert code_of(device.update, unique(), f"{image}:2") is Code.NOT_FOUND
        assert code_of(device.stop, unique()) is Code.NOT_FOUND
        device.remove(name)
        for tag in "12":
            device.remove_image(f"{image}:{tag}")
        for number in range(5):
            assert code_of(bare_call, channel, f"/made.Up{number}/Name") is Code.UNIMPLEMENTED
        runtime_call(daemons.runtime_socket, "GetInfo")
        runtime_call(daemons.runtime_socket, "made.up.Interface.Method")
        runtime_call(daemons.runtime_socket, "StopContainer", "{}")
        # Somebody who does not speak HTTP/2.
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(daemons.address.removeprefix("unix:"))
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while stranger.recv(4096):
                pass

    front = Metrics(daemons.front_file)

    def rpcs(method, code="ok"):
        return front.get("containerz_rpcs_total", method=method, code=code)

    assert rpcs(f"{CONTAINERZ}/Deploy") == 2
    assert rpcs(f"{CONTAINERZ}/ListImage") == 3
    assert rpcs(f"{CONTAINERZ}/StopContainer", "notFound") == 1
    assert rpcs(f"{CONTAINERZ}/StopContainer") is None
    assert rpcs("other", "unimplemented") == 5
    assert front.get("containerz_rpc_received_bytes_total",
                     method=f"{CONTAINERZ}/Deploy") >= 2 * len(tarball)
    assert front.get("containerz_rpc_sent_bytes_total", method=f"{CONTAINERZ}/ListImage") > 0
    assert front.get("containerz_rpcs_under_way") == 0
    assert front.get("containerz_connections_open") == 0
    assert front.get("containerz_connections_accepted_total") == 2
    assert front.get("containerz_connections_dropped_total") == 1
    assert front.get("containerz_connections_refused_total") == 0
    assert began - 1 <= front.get("containerz_start_time_seconds") <= time.time()

    runtime = Metrics(daemons.runtime_file)

    def calls(method, outcome="ok"):
        return runtime.get("containerz_runtime_calls_total", method=method, outcome=outcome)

    assert calls(f"{RUNTIME}.ListImages") == 3
    assert calls(f"{RUNTIME}.LoadImage") == 2
    assert calls(f"{RUNTIME}.GetInfo") >= 1
    assert calls(f"{RUNTIME}.StopContainer", f"{RUNTIME}.ContainerNotFound") == 1
    assert calls(f"{RUNTIME}.StopContainer", "org.varlink.service.InvalidParameter") == 1
    assert calls("other", "org.varlink.service.InterfaceNotFound") == 1
    for result in ["finished", "rolled_back", "failed"]:
        assert runtime.get("containerz_runtime_updates_total", result=result) == 1, result
    assert runtime.get("containerz_runtime_updates_under_way") == 0
    assert runtime.get("containerz_runtime_engine_up") == 1
    total = runtime.get("containerz_runtime_storage_size_bytes")
    assert 0 < runtime.get("containerz_runtime_storage_free_bytes") < total
    assert began - 1 <= runtime.get("containerz_runtime_start_time_seconds") <= time.time()
    # Both files are read together, so that no name may be in both.
    assert not front.types.keys() & runtime.types.keys()


def test_they_are_written_while_the_daemon_runs(daemons):
    with daemons.runtime(), daemons.front():
        wait_until(daemons.front_file.exists, "the first metrics")
        wait_until(daemons.runtime_file.exists, "the first metrics")
        first = daemons.front_file.stat()
        assert Metrics(daemons.runtime_file).get("containerz_runtime_engine_up") == 1
        with grpc.insecure_channel(daemons.address) as channel:
            Device(channel).images()
            wait_until(lambda: daemons.front_file.stat().st_ino != first.st_ino,
                       "the next metrics")
            metrics = Metrics(daemons.front_file)
            assert metrics.get("containerz_rpcs_total", method=f"{CONTAINERZ}/ListImage",
                               code="ok") == 1
            assert metrics.get("containerz_connections_open") == 1


def test_an_engine_that_is_gone_shows(daemons):
    daemons.engine = daemons.folder / "none.sock"
    with daemons.runtime():
        pass
    metrics = Metrics(daemons.runtime_file)
    assert metrics.get("containerz_runtime_engine_up") == 0
    assert metrics.get("containerz_runtime_storage_free_bytes") is None


def test_a_file_that_cannot_be_written_disturbs_nothing(daemons):
    file = daemons.folder / "later/front.prom"
    with daemons.runtime(), daemons.front(file) as front, \
            grpc.insecure_channel(daemons.address) as channel:
        Device(channel).images()
        wait_until(lambda: "metrics cannot be written" in front.text(), "the warning")
        Device(channel).images()
        file.parent.mkdir()
    assert Metrics(file).get("containerz_rpcs_total", method=f"{CONTAINERZ}/ListImage",
                             code="ok") == 2
