"""org.containerz.Runtime as Python's varlink and shells see it."""

import json
import subprocess
import sys

import pytest
import varlink

import make_image
from harness import runtime_call

INTERFACE = "org.containerz.Runtime"


def cli(*arguments):
    """Python's varlink command line."""
    return subprocess.run(
        [sys.executable, "-m", "varlink.cli", *arguments], capture_output=True, timeout=30)


def test_the_command_line_introspects_and_calls(docker_stack):
    address = f"unix:{docker_stack.runtime_socket}"
    info = cli("info", address)
    assert info.returncode == 0, info.stderr
    assert INTERFACE in info.stdout.decode()
    text = cli("help", f"{address}/{INTERFACE}").stdout.decode()
    assert "method StartContainer(spec: ContainerSpec)" in text
    called = cli("call", f"{address}/{INTERFACE}.GetInfo")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["engine"] == "docker"


def test_the_library_calls_and_catches_errors(docker_stack, docker_image):
    with varlink.Client(f"unix:{docker_stack.runtime_socket}") as client:
        with client.open(INTERFACE) as runtime:
            repository, _, tag = docker_image.rpartition(":")
            names = [name for image in runtime.ListImages()["images"] for name in image["names"]]
            assert {"repository": repository, "tag": tag} in names
            with pytest.raises(varlink.VarlinkError) as failure:
                runtime.RemoveContainer("no-such-container")
            assert failure.value.error() == f"{INTERFACE}.ContainerNotFound"
            assert failure.value.parameters() == {"name": "no-such-container"}
            # The connection is still good.
            assert runtime.GetInfo()["engine"] == "docker"


class Shell:
    def __init__(self, stack):
        self.stack = stack

    def call(self, *arguments, code=0):
        done = runtime_call(self.stack.runtime_socket, *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr


@pytest.fixture
def shell(stack):
    return Shell(stack)


def test_a_shell_loads_starts_reads_and_removes(shell, tmp_path, unique):
    image, name = {"repository": unique("image"), "tag": "1"}, unique()
    full = f"{image['repository']}:1"
    (tmp_path / "x.tar").write_bytes(make_image.image_bytes([full]))
    load = json.dumps({"archive": 0, "image": image})
    output, _ = shell.call("LoadImage", load, "--fd", tmp_path / "x.tar", "--more")
    assert json.loads(output.splitlines()[-1]) == {"loaded": [image]}
    spec = {"spec": {"image": image, "name": name, "command": ["echo", "hello"]}}
    assert json.loads(shell.call("StartContainer", json.dumps(spec))[0]) == {"name": name}
    logs = json.dumps({"name": name, "follow": True, "output": 0})
    (tmp_path / "log").touch()
    shell.call("StreamLogs", logs, "--fd", tmp_path / "log")
    assert (tmp_path / "log").read_text() == "hello\n"
    pieces = shell.call("StreamLogs", json.dumps({"name": name}), "--more")[0].splitlines()
    assert json.loads(pieces[0]) == {"data": "aGVsbG8K"}
    _, errors = shell.call("StreamLogs", json.dumps({"name": name}), code=1)
    assert "org.varlink.service.ExpectedMore" in errors
    shell.call("RemoveContainer", json.dumps({"name": name}))
    shell.call("RemoveImage", json.dumps({"image": image}))
    _, errors = shell.call("RemoveImage", json.dumps({"image": image}), code=1)
    assert errors == (
        f'cz-runtime: {INTERFACE}.ImageNotFound {json.dumps({"image": image}, separators=(",", ":"))}\n')


def test_an_archive_that_is_cut_off_is_not_loaded(shell, tmp_path, unique):
    image = {"repository": unique("image"), "tag": "1"}
    data = make_image.image_bytes([f"{image['repository']}:1"])
    for part in b"", data[:1000], data[:len(data) // 2], b"nonsense" * 1000:
        (tmp_path / "x.tar").write_bytes(part)
        _, errors = shell.call("LoadImage", json.dumps({"archive": 0, "image": image}), "--fd",
                               tmp_path / "x.tar", code=1)
        assert "LoadFailed" in errors
    images = json.loads(shell.call("ListImages")[0])["images"]
    assert all(image not in other["names"] for other in images)


@pytest.mark.parametrize("arguments, code, error", [
    (["Nonsense"], 1, "MethodNotFound"),
    (["org.example.Foo"], 1, "InterfaceNotFound"),
    (["StopContainer", "{}"], 1, 'InvalidParameter {"parameter":"name"}'),
    (["StopContainer", '{"name":1}'], 1, 'InvalidParameter {"parameter":"name"}'),
    (["LoadImage", '{"archive":0}'], 1, 'InvalidParameter {"parameter":"archive"}'),
    (["ListContainers", '{"filters":{"bogus":["x"]}}'], 1, "InvalidArgument"),
    (["GetInfo", "nonsense"], 64, "not a JSON object"),
    (["GetInfo", "[]"], 64, "not a JSON object"),
    (["LoadImage", "--fd", "/nonexistent/file"], 1, "No such file"),
    ([], 64, "Missing expected argument"),
])
def test_calls_that_are_wrong(docker_stack, arguments, code, error):
    assert error in Shell(docker_stack).call(*arguments, code=code)[1]
