"""Plugins, on Docker, with a volume plugin of the tests' own; and what Podman says of them."""

import hashlib
import io
import json
import os
import tarfile

import grpc
import pytest

import gnoi
import volume_plugin
from gnoi import Code, code_of, status_of
from harness import Daemon, free_port, wait_until
from volume_plugin import CONFIG


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The plugin's program, which needs no other file."""
    path = tmp_path_factory.mktemp("plugin") / "plugin"
    volume_plugin.build(path)
    return path.read_bytes()


def archive(entries, mode="w:gz"):
    """A tarball: content as bytes, folders as None, hard links as a name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.LNKTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return stream.getvalue()


def root(program, prefix=""):
    """What the program needs around it."""
    return {f"{prefix}plugin": program, f"{prefix}run": None, f"{prefix}volumes": None}


@pytest.fixture
def device(docker_device):
    return docker_device


@pytest.fixture
def plugin(device, unique):
    """An instance name; whatever runs under it is gone afterwards."""
    name = unique("plugin")
    yield name
    code_of(device.stop_plugin, name)
    code_of(device.remove_plugin, name)
    code_of(device.remove_plugin_tar, name)


@pytest.fixture
def tarballs(docker_stack):
    return docker_stack.folder / "plugins"


def test_1_7a_from_a_gzip_tarball_to_a_plugin_and_back(device, plugin, program):
    tarball = archive(root(program) | {"config.json": b"{}"})
    pushed = device.push_plugin(tarball, plugin, lockstep=True)
    assert (pushed.name, pushed.image_size) == (plugin, len(tarball))
    assert device.start_plugin(plugin, plugin, json.dumps(CONFIG)) == plugin
    listed = device.plugins()[f"{plugin}:latest"]
    assert listed.id
    assert listed.hash.hash == hashlib.sha256(tarball).digest()
    assert list(device.plugins(plugin)) == list(device.plugins(f"{plugin}:latest")) == [
        f"{plugin}:latest"]
    config = json.loads(listed.config)
    assert config["Entrypoint"] == ["/plugin"]
    assert [entry["Name"] for entry in config["Env"]] == ["COLOUR"]
    device.stop_plugin(f"{plugin}:latest")
    device.remove_plugin(f"{plugin}:latest")
    assert device.plugins(plugin) == {}


def test_1_7b_a_plugin_that_was_never_pushed(device, plugin):
    code, text = status_of(device.start_plugin, "never-pushed", plugin, json.dumps(CONFIG))
    assert code == Code.NOT_FOUND and "never-pushed" in text


def test_1_7c_an_instance_that_exists(device, plugin, program):
    device.push_plugin(archive(root(program)), plugin)
    device.start_plugin(plugin, plugin, json.dumps(CONFIG))
    code, text = status_of(device.start_plugin, plugin, plugin, json.dumps(CONFIG))
    assert code == Code.ALREADY_EXISTS and plugin in text
    device.stop_plugin(plugin)
    assert code_of(device.start_plugin, plugin, plugin, json.dumps(CONFIG)) == Code.ALREADY_EXISTS


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:xz"])
@pytest.mark.parametrize("prefix", ["", "rootfs/", "./rootfs/"])
@pytest.mark.parametrize("with_config", [True, False])
def test_a_container_uses_the_plugin_s_volume(
        device, docker_image, plugin, unique, program, mode, prefix, with_config):
    entries = root(program, prefix) | {f"{prefix}plugin-again": f"{prefix}plugin"}
    if with_config:
        entries["config.json"] = json.dumps(CONFIG).encode()
    device.push_plugin(archive(entries, mode), plugin)
    device.start_plugin(plugin, plugin, "" if with_config else json.dumps(CONFIG))
    volume, writer, reader = unique("volume"), unique("writer"), unique("reader")
    device.create_volume(volume, driver="DS_CUSTOM", custom_options={
        "options": {"driver": plugin}})
    assert device.volumes()[volume].driver == f"{plugin}:latest"
    mount = [{"name": volume, "mount_point": "/data"}]
    device.start(docker_image, writer, volumes=mount, cmd="sh -c 'echo kept > /data/file'")
    wait_until(lambda: device.state(writer) == "STOPPED", "the writer to end")
    device.start(docker_image, reader, volumes=mount, cmd="cat /data/file")
    wait_until(lambda: device.log_text(reader) == "kept\n", "the reader")
    # Something needs it: it goes on.
    code, text = status_of(device.stop_plugin, plugin)
    assert code == Code.FAILED_PRECONDITION and plugin in text
    assert code_of(device.remove_plugin, plugin) == Code.FAILED_PRECONDITION
    device.remove(writer)
    device.remove(reader)
    device.remove_volume(volume)
    device.stop_plugin(plugin)
    assert code_of(device.create_volume, volume, driver="DS_CUSTOM", custom_options={
        "options": {"driver": plugin}}) == Code.NOT_FOUND


@pytest.mark.parametrize("name", ["plügin", "ein-langes-" + "ä" * 60 + "/plügin"])
def test_files_may_have_names_in_any_letters(device, plugin, program, name):
    device.push_plugin(archive(root(program) | {name: program}), plugin)
    # The engine finds the program only under the very name.
    device.start_plugin(plugin, plugin, json.dumps(CONFIG | {"entrypoint": [f"/{name}"]}))
    assert f"{plugin}:latest" in device.plugins()


def test_a_stopped_plugin_is_started_again_by_its_instance_alone(device, plugin, program):
    device.push_plugin(archive(root(program)), plugin)
    device.start_plugin(plugin, plugin, json.dumps(CONFIG))
    assert code_of(device.start_plugin, "", plugin) == Code.ALREADY_EXISTS
    device.stop_plugin(plugin)
    device.stop_plugin(plugin)
    assert device.start_plugin("", plugin) == plugin
    assert code_of(device.remove_plugin, plugin) == Code.FAILED_PRECONDITION
    assert code_of(device.start_plugin, "", plugin, "{}") == Code.INVALID_ARGUMENT
    assert code_of(device.start_plugin, "", "no-such-plugin") == Code.NOT_FOUND


def test_a_missing_plugin_is_what_stop_and_remove_want(device, unique):
    device.stop_plugin(unique("plugin"))
    device.remove_plugin(unique("plugin"))
    assert device.plugins(unique("plugin")) == {}


def test_a_tarball_stays_until_it_is_removed(device, plugin, program, tarballs):
    device.push_plugin(archive(root(program)), plugin)
    assert f"{plugin}.tar" in os.listdir(tarballs)
    device.remove_plugin_tar(plugin)
    assert f"{plugin}.tar" not in os.listdir(tarballs)
    code, text = status_of(device.remove_plugin_tar, plugin)
    assert code == Code.NOT_FOUND and plugin in text
    assert code_of(device.start_plugin, plugin, plugin, json.dumps(CONFIG)) == Code.NOT_FOUND


def test_a_plugin_that_does_not_start_leaves_its_name(device, plugin, program):
    device.push_plugin(archive(root(program)), plugin)
    code, text = status_of(device.start_plugin, plugin, plugin, json.dumps(
        CONFIG | {"entrypoint": ["/no-such-program"]}))
    assert code == Code.INTERNAL and plugin in text and "no-such-program" in text
    assert device.plugins(plugin) == {}
    device.start_plugin(plugin, plugin, json.dumps(CONFIG))


@pytest.mark.parametrize("config", [
    "", "{", "[]", "7", '"x"', '{"env": 7}', '{"env": [], "Env": []}', '{"entrypoint": 7}'])
def test_configs_that_cannot_be(device, plugin, program, config):
    device.push_plugin(archive(root(program)), plugin)
    code, text = status_of(device.start_plugin, plugin, plugin, config)
    assert code == Code.INVALID_ARGUMENT and text.startswith("config: ")
    assert device.plugins(plugin) == {}


@pytest.mark.parametrize("instance", ["", "Upper", "a b", "../x", "a:b", "a@sha256:0", "a" * 300])
def test_instances_that_cannot_be(device, plugin, program, instance):
    device.push_plugin(archive(root(program)), plugin)
    assert code_of(device.start_plugin, plugin, instance, json.dumps(CONFIG)) == (
        Code.INVALID_ARGUMENT)


@pytest.mark.parametrize("name", [
    "", ".", "..", "../escape", "/etc/escape", "a/b", ".hidden", "a\n", "a\0b", "-", "a" * 129])
def test_names_of_tarballs_that_cannot_be(device, program, tarballs, name):
    device.push_plugin(archive(root(program)), "before")
    before = sorted(os.listdir(tarballs))
    try:
        code, _ = status_of(device.push_plugin, archive(root(program)), name)
        assert code == Code.INVALID_ARGUMENT
        assert code_of(device.remove_plugin_tar, name) == Code.INVALID_ARGUMENT
        if name:
            assert code_of(device.start_plugin, name, "x") == Code.INVALID_ARGUMENT
        assert sorted(os.listdir(tarballs)) == before
    finally:
        device.remove_plugin_tar("before")


@pytest.mark.parametrize("data", [
    b"x" * 100_000,
    archive({}), archive({"config.json": b"{}"}),
    archive({"../escape": b"x"}), archive({"/etc/passwd": b"x"}),
    archive({"a": b"x", "b": "../../escape"}),
    archive({"a": b"x" * 100_000})[:-30],
    archive({"a": bytes(100 << 20)}),
], ids=["garbage", "empty", "config alone", "parent", "absolute", "link", "cut", "bomb"])
def test_a_bad_tarball_leaves_the_one_before(device, plugin, program, tarballs, data):
    good = archive(root(program))
    device.push_plugin(good, plugin)
    code, text = status_of(device.push_plugin, data, plugin)
    assert code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED) and text
    assert (tarballs / f"{plugin}.tar").read_bytes() == good
    assert not [name for name in os.listdir(tarballs) if name.startswith(".")]


def test_an_upload_that_breaks_off_leaves_the_one_before(device, plugin, program, tarballs):
    good = archive(root(program))
    device.push_plugin(good, plugin)
    for end in "cancel", "short", "long":
        with device.deploy() as deploy:
            deploy.transfer(plugin, "", 1000, is_plugin=True)
            deploy.ready()
            deploy.content(b"x" * (1001 if end == "long" else 500))
            if end == "long":
                assert deploy.status() == Code.INVALID_ARGUMENT
                continue
            deploy.progress()
            if end == "short":
                deploy.end()
                assert deploy.status() == Code.INVALID_ARGUMENT
        wait_until(lambda: not [n for n in os.listdir(tarballs) if n.startswith(".")],
                   "the partial file to go")
    assert (tarballs / f"{plugin}.tar").read_bytes() == good


def test_more_than_the_disk_has(device, plugin):
    code, text = status_of(device.push_plugin, b"x", plugin, size=1 << 60)
    assert code == Code.RESOURCE_EXHAUSTED and "free" in text


def test_leftovers_of_a_killed_upload_go(docker_stack, unique, program, tmp_path):
    folder, name = tmp_path / "plugins", unique("plugin")
    arguments = ["--insecure", "--runtime-socket", docker_stack.runtime_socket,
                 "--plugin-dir", folder]

    def device(port):
        return gnoi.Device(grpc.insecure_channel(f"127.0.0.1:{port}"))

    port = free_port()
    daemon = Daemon("containerzd", *arguments, "--listen", f"127.0.0.1:{port}")
    with device(port).deploy() as deploy:
        deploy.transfer(name, "", 1000, is_plugin=True)
        deploy.ready()
        deploy.content(b"x" * 500)
        deploy.progress()
        wait_until(lambda: os.listdir(folder), "the partial file")
        # A second process beside it, as in an upgrade, leaves alone what is still written to.
        port = free_port()
        with Daemon("containerzd", *arguments, "--listen", f"127.0.0.1:{port}"):
            device(port).push_plugin(archive(root(program)), name)
            assert len(os.listdir(folder)) == 2
            daemon.kill()
        port = free_port()
        with Daemon("containerzd", *arguments, "--listen", f"127.0.0.1:{port}"):
            device(port).push_plugin(archive(root(program)), name)
            assert os.listdir(folder) == [f"{name}.tar"]


@pytest.mark.parametrize("stack", ["podman"], indirect=True)
def test_where_the_engine_has_none(stack, unique, program):
    with stack.channel() as channel:
        device, name = gnoi.Device(channel), unique("plugin")
        for action, *arguments in [
                (device.push_plugin, archive(root(program)), name),
                (device.start_plugin, name, name), (device.stop_plugin, name), (device.plugins,),
                (device.remove_plugin, name), (device.remove_plugin_tar, name)]:
            code, text = status_of(action, *arguments)
            assert code == Code.UNIMPLEMENTED
            assert "Podman" in text
