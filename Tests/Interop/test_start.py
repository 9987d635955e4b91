"""StartContainer: every field arrives, and what cannot start leaves nothing behind."""

import socket

import pytest

from gnoi import Code, StartRequest, code_of
from harness import free_port, wait_until

Restart = StartRequest.Restart


@pytest.fixture
def untouched(device):
    """Fails when a container is there afterwards that was not before."""
    before = sorted(device.containers())
    yield
    assert sorted(device.containers()) == before


def output(device, image, name, script, **fields):
    """What a shell script prints in a container started with these fields."""
    device.start(image, name, cmd=f"sh -c '{script}'", **fields)
    wait_until(lambda: device.state(name) == "STOPPED", "the script to end")
    text = device.log_text(name)
    device.remove(name)
    return text


# --- Every field ---


def test_environment(device, image, unique):
    text = output(device, image, unique(), 'echo "$A|$B|$C"',
                  environment={"A": "x=y", "B": "", "C": "ü €"})
    assert text == "x=y||ü €\n"


def test_a_command_is_split_like_a_shell_does(device, image, unique):
    name = unique()
    device.start(image, name, cmd=r"""sh -c 'printf "%s\n" "$@"' x "a b" c\ d '' "it's" """)
    wait_until(lambda: device.state(name) == "STOPPED", "the command to end")
    assert device.log_text(name) == "a b\nc d\n\nit's\n"
    device.remove(name)


def test_a_directory_of_the_device(device, image, unique, shared_folder):
    tmp_path = shared_folder
    (tmp_path / "file").write_text("from the device\n")
    volumes = [{"name": str(tmp_path), "mount_point": "/data"},
               {"name": str(tmp_path), "mount_point": "/ro", "read_only": True}]
    text = output(device, image, unique(),
                  "cat /data/file; echo back >/data/reply; touch /ro/x 2>&1 || echo refused",
                  volumes=volumes)
    assert text.startswith("from the device\n") and text.endswith("refused\n")
    assert (tmp_path / "reply").read_text() == "back\n"


def test_user_and_group(device, image, unique):
    script = 'echo "$(id -u):$(id -g)"'
    assert output(device, image, unique(), script, run_as={"user": "1234"}) == "1234:0\n"
    assert output(
        device, image, unique(), script, run_as={"user": "12", "group": "34"}) == "12:34\n"
    assert output(device, image, unique(), script, run_as={"group": "34"}) == "0:34\n"


def test_capabilities_are_dropped_first_and_then_added(device, image, unique):
    script = "grep CapEff /proc/self/status"
    only = output(device, image, unique(), script,
                  cap={"remove": ["ALL"], "add": ["chown", "CAP_KILL"]})
    assert int(only.split()[1], 16) == (1 << 0) | (1 << 5)


def test_limits(device, image, unique):
    script = ("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>/dev/null "
              "|| cat /sys/fs/cgroup/memory/memory.limit_in_bytes")
    text = output(device, image, unique(), script,
                  limits={"max_cpu": 0.5, "soft_mem_bytes": 32 << 20, "hard_mem_bytes": 64 << 20})
    lines = text.splitlines()
    assert lines[0] == str(64 << 20)
    if len(lines) > 1:
        assert lines[1] == "50000 100000"


def test_a_device(device, image, unique):
    text = output(device, image, unique(), "head -c 3 /dev/nothing | wc -c; ls /dev/nothing",
                  devices=[{"src_path": "/dev/zero", "dst_path": "/dev/nothing",
                            "permissions": ["READ", "WRITE", "MKNOD"]}])
    assert text == "3\n/dev/nothing\n"


def test_no_network(device, image, unique):
    text = output(device, image, unique(), "ls /sys/class/net", network="none")
    assert text == "lo\n"


def test_labels(device, image, unique):
    name = unique()
    device.start(image, name, labels={"a": "b", "c.d/e": ""})
    labels = device.containers()[name].labels
    assert labels["a"] == "b" and labels["c.d/e"] == ""
    device.remove(name)


def test_restart_on_failure_so_many_times(device, image, unique):
    name = unique()
    device.start(image, name, cmd="sh -c 'echo run; exit 1'",
                 restart={"policy": "ON_FAILURE", "attempts": 2})
    wait_until(lambda: device.log_text(name).count("run") == 3, "three runs")
    wait_until(lambda: device.state(name) == "STOPPED", "the end")
    device.remove(name)


# --- What cannot start ---


def refused(device, image, name, **fields):
    return code_of(device.start, image, name, **fields)


def test_a_name_that_is_taken(device, image, unique):
    name = unique()
    device.start(image, name)
    assert refused(device, image, name) is Code.ALREADY_EXISTS
    assert code_of(device.start, "", name) is Code.ALREADY_EXISTS
    device.stop(name, force=True)
    # Stopped, and the request has more than the name.
    assert refused(device, image, name) is Code.ALREADY_EXISTS
    assert device.state(name) == "STOPPED"
    device.remove(name)


def test_a_port_another_container_has(device, image, unique):
    first, second, port = unique(), unique(), free_port()
    device.start(image, first, ports=[{"internal": 8080, "external": port}])
    before = sorted(device.containers())
    for network in "", "bridge":
        assert refused(device, image, second, network=network, ports=[
            {"internal": 8080, "external": port}]) is Code.UNAVAILABLE
    assert sorted(device.containers()) == before
    device.remove(first)


def test_a_port_another_program_has(device, image, unique, untouched):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(device, image, unique(), ports=[
            {"internal": 8080, "external": port}]) is Code.UNAVAILABLE


@pytest.mark.parametrize("fields, code", [
    ({"network": "host", "ports": [{"internal": 80, "external": 8080}]}, Code.INVALID_ARGUMENT),
    ({"ports": [{"internal": 0, "external": 80}]}, Code.INVALID_ARGUMENT),
    ({"ports": [{"internal": 80, "external": 70_000}]}, Code.INVALID_ARGUMENT),
    ({"ports": [{"internal": 1, "external": 5001}, {"internal": 2, "external": 5001}]},
     Code.INVALID_ARGUMENT),
    ({"volumes": [{"name": "no-such-volume", "mount_point": "/x"}]}, Code.NOT_FOUND),
    ({"volumes": [{"name": "/no/such/folder", "mount_point": "/x"}]}, Code.NOT_FOUND),
    ({"volumes": [{"name": "../x", "mount_point": "/x"}]}, Code.NOT_FOUND),
    ({"volumes": [{"name": "/tmp", "mount_point": "relative"}]}, Code.INVALID_ARGUMENT),
    ({"volumes": [{"name": "", "mount_point": "/x"}]}, Code.INVALID_ARGUMENT),
    ({"cap": {"add": ["NONSENSE"]}}, Code.INVALID_ARGUMENT),
    ({"cap": {"remove": ["CAP_"]}}, Code.INVALID_ARGUMENT),
    ({"restart": {"policy": 17}}, Code.FAILED_PRECONDITION),
    ({"restart": {"policy": "ALWAYS", "attempts": 3}}, Code.FAILED_PRECONDITION),
    ({"run_as": {"user": "nobody-knows-me"}}, Code.FAILED_PRECONDITION),
    ({"run_as": {"user": "0", "group": "nobody-knows-us"}}, Code.FAILED_PRECONDITION),
    ({"run_as": {"user": "a:b", "group": "c"}}, Code.FAILED_PRECONDITION),
    ({"devices": [{"src_path": "/dev/no-such-device", "dst_path": "/dev/x"}]},
     Code.INVALID_ARGUMENT),
    ({"devices": [{"src_path": "", "dst_path": "/dev/x"}]}, Code.INVALID_ARGUMENT),
    ({"network": "no-such-network"}, Code.NOT_FOUND),
    ({"network": "container:x"}, Code.NOT_FOUND),
    ({"network": "../x"}, Code.NOT_FOUND),
    ({"limits": {"max_cpu": -1}}, Code.INVALID_ARGUMENT),
    ({"limits": {"max_cpu": float("nan")}}, Code.INVALID_ARGUMENT),
    ({"limits": {"hard_mem_bytes": 100}}, Code.INVALID_ARGUMENT),
    ({"limits": {"hard_mem_bytes": -5}}, Code.INVALID_ARGUMENT),
    ({"environment": {"": "x"}}, Code.INVALID_ARGUMENT),
    ({"environment": {"A=B": "x"}}, Code.INVALID_ARGUMENT),
    ({"labels": {"": "x"}}, Code.INVALID_ARGUMENT),
    ({"labels": {"net.openconfig.containerz.location.intended": "L_ALL"}}, Code.INVALID_ARGUMENT),
    ({"location": 9}, Code.INVALID_ARGUMENT),
    ({"cmd": "sh -c 'not closed"}, Code.INVALID_ARGUMENT),
    ({"cmd": "/no/such/command"}, Code.INTERNAL),
], ids=str)
def test_what_cannot_start_leaves_nothing(device, image, unique, untouched, fields, code):
    assert refused(device, image, unique(), **fields) is code


@pytest.mark.parametrize("name", [
    "a/b", "../a", "a b", "a\nb", "a\x00b", "-a", ".a", "ü", "a" * 10_000, "x",
])
def test_names_that_no_instance_can_have(device, image, untouched, name):
    assert refused(device, image, name) is Code.INVALID_ARGUMENT
    # Nor is there such an instance. A name beyond the limit is not looked for.
    code = Code.INVALID_ARGUMENT if len(name) > 256 else Code.NOT_FOUND
    for call in device.stop, device.remove, device.log_text:
        assert code_of(call, name) is code


def test_nothing_is_no_request(device, untouched):
    assert code_of(device.start, "") is Code.INVALID_ARGUMENT
    assert code_of(device.stop, "") is Code.INVALID_ARGUMENT
    assert code_of(device.remove, "") is Code.INVALID_ARGUMENT
    assert code_of(device.log_text, "") is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("image", ["Upper:1", "a b:1", "a:" + "t" * 200, "x" * 10_000 + ":1"])
def test_images_that_no_device_can_have(device, untouched, unique, image):
    assert refused(device, image, unique()) is Code.INVALID_ARGUMENT
    assert code_of(device.remove_image, image) is Code.INVALID_ARGUMENT


def test_an_id_is_no_name(device, image, unique):
    """Engines would take it for the container."""
    name = unique()
    device.start(image, name)
    identifier = device.containers()[name].id
    assert code_of(device.stop, identifier[:8]) is Code.NOT_FOUND
    assert code_of(device.remove, identifier[:12]) is Code.NOT_FOUND
    assert code_of(device.remove, identifier) is Code.NOT_FOUND
    assert device.state(name) == "RUNNING"
