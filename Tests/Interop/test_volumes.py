"""Volumes, on Docker and on Podman."""

import time

import pytest

from gnoi import Code, code_of, status_of
from harness import wait_until


@pytest.fixture
def volume(device, unique):
    """A plain volume's name."""
    name = unique("volume")
    assert device.create_volume(name) == name
    yield name
    code_of(device.remove_volume, name)


def bind(path, *options, type="TYPE_NONE"):
    return {"type": type, "options": ["bind", *options], "mountpoint": str(path)}


def test_1_5a_a_bind_reads_back_as_mount_options(device, unique):
    name = unique("volume")
    created = device.create_volume(name, driver="DS_LOCAL", local_mount_options=bind("/srv"))
    assert created == name
    listed = device.volumes()[name]
    assert listed.driver == "local"
    assert dict(listed.options) == {"type": "none", "o": "bind", "device": "/srv"}
    device.remove_volume(name, force=True)
    assert name not in device.volumes()


def test_1_5b_removing_a_missing_volume_does_nothing(device, unique):
    device.remove_volume(unique("volume"))
    device.remove_volume(unique("volume"), force=True)
    device.remove_volume("no/such volume")


def test_a_plain_volume(device, unique):
    name, before = unique("volume"), int(time.time())
    device.create_volume(name, labels={"tier": "data", "empty": ""})
    listed = device.volumes()[name]
    assert (listed.driver, dict(listed.options)) == ("local", {})
    assert dict(listed.labels) == {"tier": "data", "empty": ""}
    assert before - 1 <= listed.created.seconds <= time.time() + 1
    device.remove_volume(name)


def test_an_unnamed_volume_gets_a_name(device):
    name = device.create_volume()
    assert name and name in device.volumes()
    device.remove_volume(name)


def test_filters(device, unique):
    names = [unique("volume") for _ in range(3)]
    for number, name in enumerate(names):
        device.create_volume(name, labels={"number": str(number), "of": names[0]})
    of = f"of={names[0]}"
    assert list(device.volumes(label=[of])) == sorted(names)
    assert list(device.volumes(label=[of, "number=1"])) == [names[1]]
    assert list(device.volumes(name=[names[0], names[2]])) == sorted([names[0], names[2]])
    assert list(device.volumes(label=[of], driver=["other"])) == []
    assert code_of(device.volumes, colour=["red"]) == Code.INVALID_ARGUMENT
    for name in names:
        device.remove_volume(name)


def test_a_name_that_is_taken(device, volume):
    code, text = status_of(device.create_volume, volume, labels={"other": "1"})
    assert code == Code.ALREADY_EXISTS and volume in text
    assert dict(device.volumes()[volume].labels) == {}


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("force", [False, True])
def test_a_volume_in_use_stays(device, image, volume, unique, state, force):
    name = unique("instance")
    device.start(image, name, volumes=[{"name": volume, "mount_point": "/data"}])
    if state == "stopped":
        device.stop(name, force=True)
    code, text = status_of(device.remove_volume, volume, force=force)
    assert code == Code.FAILED_PRECONDITION and name in text
    assert volume in device.volumes() and name in device.containers()
    device.remove(name)
    # The container's end takes only volumes along that nobody named.
    assert volume in device.volumes()
    device.remove_volume(volume)
    assert volume not in device.volumes()


def test_what_a_container_wrote_is_there_for_the_next(device, image, volume, unique):
    mount = [{"name": volume, "mount_point": "/data"}]
    first, second = unique("instance"), unique("instance")
    device.start(image, first, volumes=mount, cmd="sh -c 'echo kept > /data/file'")
    wait_until(lambda: device.state(first) == "STOPPED", "the writer to end")
    device.start(image, second, volumes=mount, cmd="cat /data/file")
    wait_until(lambda: device.log_text(second) == "kept\n", "the reader")
    device.remove(first)
    device.remove(second)


def test_a_bound_directory_is_the_device_s(device, image, unique, shared_folder):
    tmp_path = shared_folder
    name, instance = unique("volume"), unique("instance")
    (tmp_path / "file").write_text("from the device\n")
    device.create_volume(name, local_mount_options=bind(tmp_path, "nosuid"))
    assert device.volumes()[name].options["o"] == "bind,nosuid"
    device.start(image, instance, volumes=[{"name": name, "mount_point": "/data"}],
                 cmd="cat /data/file")
    wait_until(lambda: device.log_text(instance) == "from the device\n", "the reader")
    device.remove(instance)
    device.remove_volume(name)
    assert (tmp_path / "file").exists()


@pytest.mark.parametrize("code, fields", [
    (Code.NOT_FOUND, {"local_mount_options": bind("/no/such/directory")}),
    (Code.INVALID_ARGUMENT, {"local_mount_options": bind("relative")}),
    (Code.INVALID_ARGUMENT, {"local_mount_options": bind("")}),
    (Code.INVALID_ARGUMENT, {"local_mount_options": {"mountpoint": "/tmp"}}),
    (Code.INVALID_ARGUMENT, {"local_mount_options": bind("/srv", type=7)}),
    (Code.INVALID_ARGUMENT, {"driver": "DS_LOCAL", "custom_options": {"options": {"a": "b"}}}),
    (Code.INVALID_ARGUMENT, {"driver": "DS_CUSTOM"}),
    (Code.INVALID_ARGUMENT, {"driver": "DS_CUSTOM", "local_mount_options": bind("/srv")}),
    (Code.INVALID_ARGUMENT, {"driver": "DS_CUSTOM", "custom_options": {"options": {"a": "b"}}}),
    (Code.NOT_FOUND, {"driver": "DS_CUSTOM",
                      "custom_options": {"options": {"driver": "no-such-plugin"}}}),
    (Code.INVALID_ARGUMENT, {"driver": 9}),
    (Code.INVALID_ARGUMENT, {"labels": {"": "x"}}),
])
def test_what_cannot_be_mounted_is_refused_at_creation(device, unique, code, fields):
    name = unique("volume")
    found, text = status_of(device.create_volume, name, **fields)
    assert found == code, text
    assert text and name not in device.volumes()


@pytest.mark.parametrize("name", ["a/b", "../x", "a b", "a\n", "x" * 10_000, "-a", "."])
def test_names_that_cannot_be(device, name):
    assert code_of(device.create_volume, name) == Code.INVALID_ARGUMENT
