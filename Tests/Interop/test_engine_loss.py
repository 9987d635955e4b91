"""The engine goes away and comes back; so does cz-runtime."""

import shutil
import signal
import subprocess

import grpc
import pytest

from conftest import ENGINES, engine_socket, need
from gnoi import Code, Device, code_of
from harness import Daemon, runtime_call, wait_until
from relay import Relay


@pytest.fixture(params=ENGINES)
def parts(request, tmp_path):
    """A relay that is closed yet, cz-runtime behind it, containerzd before that, a client."""
    need(request.param)
    relay = Relay(tmp_path / "engine.sock", engine_socket(request.param))
    runtime_socket, front_socket = tmp_path / "runtime.sock", tmp_path / "front.sock"
    arguments = ("cz-runtime", "--socket", runtime_socket, "--engine-socket", relay.path,
                 "--engine", request.param, "--state-dir", tmp_path / "state")
    with Daemon(*arguments) as runtime, Daemon(
            "containerzd", "--insecure", "--listen", f"unix:{front_socket}",
            "--runtime-socket", runtime_socket) as front, grpc.insecure_channel(
                f"unix:{front_socket}") as channel:
        yield relay, runtime, front, Device(channel), runtime_socket
    if relay.listener:
        shutil.rmtree(tmp_path, ignore_errors=True)


def test_the_engine_may_come_late_go_and_come_back(parts):
    relay, _, _, device, runtime_socket = parts
    assert code_of(device.images) is Code.UNAVAILABLE
    done = runtime_call(runtime_socket, "GetInfo")
    assert done.returncode == 1 and "EngineUnavailable" in done.stderr
    for _ in range(3):
        relay.open()
        device.images()
        assert runtime_call(runtime_socket, "GetInfo").returncode == 0
        relay.close()
        assert code_of(device.images) is Code.UNAVAILABLE
        assert code_of(device.start, "a:1", "abc") is Code.UNAVAILABLE
        assert code_of(device.stop, "abc") is Code.UNAVAILABLE
        assert code_of(device.log_text, "abc") is Code.UNAVAILABLE
        assert code_of(device.push, b"x" * 1000, "a", "1") is Code.UNAVAILABLE
    relay.listener = None


def test_the_engine_goes_in_the_middle_of_a_deploy_and_of_a_log(parts, unique):
    relay, _, front, device, _ = parts
    relay.open()
    import make_image
    data = make_image.image_bytes(mib=8)
    image, name = unique("image"), unique()
    device.push(data, image, "1")
    device.start(f"{image}:1", name)
    log = device.log(name, follow=True)
    next(log)
    with device.deploy() as deploy:
        deploy.transfer(unique(), "1", len(data))
        size = deploy.ready()
        deploy.content(data[:size])
        deploy.progress()
        relay.close()
        deploy.content(data[size:2 * size])
        assert deploy.status() is Code.UNAVAILABLE
    with pytest.raises(grpc.RpcError) as failure:
        for _ in log:
            pass
    assert failure.value.code() is Code.UNAVAILABLE
    relay.open()
    device.remove(name)
    device.remove_image(f"{image}:1")
    relay.close()
    assert front.process.poll() is None


def test_cz_runtime_may_be_killed_and_come_back(parts, tmp_path):
    relay, runtime, _, device, runtime_socket = parts
    relay.open()
    device.images()
    runtime.process.send_signal(signal.SIGKILL)
    runtime.process.wait()
    assert code_of(device.images) is Code.UNAVAILABLE
    assert code_of(device.push, b"x" * 1000, "a", "1") is Code.UNAVAILABLE
    done = runtime_call(runtime_socket, "GetInfo")
    assert done.returncode == 69 and "Connection refused" in done.stderr
    with Daemon("cz-runtime", "--socket", runtime_socket, "--engine-socket", relay.path,
                "--state-dir", tmp_path / "state"):
        wait_until(lambda: code_of(device.images) is Code.OK, "the new one to be found")
    # So that the fixture finds one to stop.
    runtime.process = subprocess.Popen(["true"])
    relay.close()
