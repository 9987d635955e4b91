"""What conformance tests hold a device to, by their numbers, on Docker and on Podman."""

import socket
import urllib.request

import pytest

import make_image
from gnoi import DEADLINE, Code, StartRequest, code_of, messages
from harness import free_port, wait_until


@pytest.fixture
def running(device, image, unique):
    """A running instance's name."""
    name = unique("instance")
    device.start(image, name)
    yield name
    code_of(device.remove, name)


def visit(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return answer.read().decode()


def answers(port):
    try:
        return visit(port)
    except OSError:
        return None


@pytest.mark.parametrize("lockstep", [True, False], ids=["lockstep", "pipelined"])
def test_1_1a_a_pushed_image_is_listed_by_its_name_and_tag(device, tarball, unique, lockstep):
    name = unique("image")
    success = device.push(tarball, name, "latest", lockstep=lockstep)
    assert (success.name, success.tag) == (name, "latest")
    assert success.image_size == len(tarball)
    assert device.images().count(f"{name}:latest") == 1
    assert [image for image in device.images() if name in image] == [f"{name}:latest"]
    device.remove_image(f"{name}:latest")
    assert f"{name}:latest" not in device.images()


def test_1_1b_a_started_container_is_listed_as_running(device, image, unique):
    name, port = unique("instance"), free_port()
    started = device.start(
        image, name, cmd="/bin/serve 60061", ports=[{"internal": 60061, "external": port}],
        restart={"policy": "ALWAYS"})
    try:
        assert started == name
        wait_until(lambda: device.state(name) == "RUNNING", "the container to run")
        container = device.containers(all=False)[name]
        assert container.image_name == image
        assert container.hash.method == 1 and len(container.hash.hash) == 32
        assert wait_until(lambda: answers(port), "the page") == "hello from a container\n"
    finally:
        device.remove(name)


def test_1_1b_an_instance_without_a_name_gets_one_that_works(device, image):
    name = device.start(image)
    try:
        assert name
        assert device.state(name) == "RUNNING"
        device.stop(name, force=True)
    finally:
        device.remove(name)


def test_1_1c_an_unknown_image_or_tag_cannot_be_started(device, image, unique):
    repository = image.rpartition(":")[0]
    for unknown in (f"{unique('nothing')}:latest", f"{repository}:other"):
        assert code_of(device.start, unknown, unique()) is Code.NOT_FOUND


def test_1_2a_the_log_of_a_running_container_has_messages_and_an_end(device, running):
    wait_until(lambda: "serving" in device.log_text(running), "the log's first line")
    assert len(list(device.log(running))) >= 1


@pytest.mark.parametrize("follow", [False, True])
def test_1_2b_the_log_of_a_missing_instance_is_not_found(device, unique, follow):
    assert code_of(device.log, unique(), follow=follow) is Code.NOT_FOUND


@pytest.mark.parametrize("follow", [False, True])
def test_1_2c_the_log_of_a_stopped_instance_is_its_old_one(device, running, follow):
    wait_until(lambda: "serving" in device.log_text(running), "the log's first line")
    device.stop(running)
    text = "".join(message.msg for message in device.log(running, follow=follow))
    assert text.startswith("serving on 8080\n")
    assert text.endswith("stopping\n")


def test_1_3_a_removed_container_is_gone_and_others_stay(device, image, running, unique):
    other = unique("other")
    device.start(image, other)
    device.remove(other)
    containers = device.containers()
    assert other not in containers
    assert containers[running].image_name == image
    assert device.state(running) == "RUNNING"


def test_1_3_a_running_container_is_not_removed_without_force(device, running):
    assert code_of(device.remove, running, force=False) is Code.FAILED_PRECONDITION
    assert device.state(running) == "RUNNING"


def test_1_3_removing_what_is_missing_is_not_found(device, unique):
    assert code_of(device.remove, unique()) is Code.NOT_FOUND
    assert code_of(device.remove_image, f"{unique()}:latest") is Code.NOT_FOUND


def test_1_3_an_image_in_use_stays(device, image, running):
    assert code_of(device.remove_image, image) is Code.FAILED_PRECONDITION
    assert image in device.images()


@pytest.mark.parametrize("force", [True, False])
def test_1_4a_a_stopped_container_is_listed_as_stopped(device, running, force):
    device.stop(running, force=force)
    assert device.state(running) == "STOPPED"
    assert running not in device.containers(all=False)


def test_1_4a_a_stop_holds_in_spite_of_policy_always(device, image, unique):
    name = unique("always")
    device.start(image, name, restart={"policy": "ALWAYS"})
    try:
        device.stop(name)
        assert device.state(name) == "STOPPED"
    finally:
        device.remove(name)


def test_1_4a_a_process_that_ignores_sigterm_is_stopped_all_the_same(device, image, unique):
    name = unique("stubborn")
    device.start(image, name, cmd="sh -c 'trap : TERM; while :; do sleep 1; done'")
    try:
        device.stop(name)
        assert device.state(name) == "STOPPED"
    finally:
        device.remove(name)


def test_1_4b_stopping_a_missing_instance_is_not_found(device, unique):
    assert code_of(device.stop, unique()) is Code.NOT_FOUND
    assert code_of(device.stop, unique(), force=True) is Code.NOT_FOUND


def test_1_4c_stopping_a_stopped_instance_is_nothing_to_do(device, running):
    device.stop(running)
    device.stop(running)
    assert device.state(running) == "STOPPED"


def test_a_stopped_instance_named_alone_is_started_again(device, image, running):
    device.stop(running)
    device.stub.StartContainer(StartRequest(instance_name=running), timeout=DEADLINE)
    assert device.state(running) == "RUNNING"


def test_stop_with_restart_starts_it_again(device, running):
    wait_until(lambda: "serving" in device.log_text(running), "the first start")
    device.stop(running, restart=True)
    assert device.state(running) == "RUNNING"
    wait_until(lambda: device.log_text(running).count("serving") == 2, "the second start")


def test_two_tags_of_one_image_are_two_entries(device, tarball, unique):
    first, second = unique("image"), unique("image")
    for name in (first, second):
        device.push(tarball, name, "1.0")
    try:
        listed = device.images()
        assert listed.count(f"{first}:1.0") == listed.count(f"{second}:1.0") == 1
        # Removing one name leaves the other.
        device.remove_image(f"{first}:1.0")
        assert f"{first}:1.0" not in device.images()
        assert f"{second}:1.0" in device.images()
    finally:
        code_of(device.remove_image, f"{first}:1.0")
        code_of(device.remove_image, f"{second}:1.0")


@pytest.mark.parametrize("location", ["L_UNKNOWN", "L_PRIMARY", "L_BACKUP", "L_ALL"])
def test_location_labels_are_listed(device, image, unique, location):
    """A device with one supervisor runs everything on it, as one instance."""
    prefix = "net.openconfig.containerz.location."
    name = unique("located")
    device.start(image, name, labels={"mine": "yes"}, location=location)
    try:
        labels = device.containers()[name].labels
        assert labels["mine"] == "yes"
        assert labels[prefix + "intended"] == (
            "L_PRIMARY" if location == "L_UNKNOWN" else location)
        assert labels[prefix + "actual"] == "L_PRIMARY"
        assert prefix + "reason" in labels
    finally:
        device.remove(name)


def test_containers_are_filtered_and_limited(device, image, unique):
    label = unique("label")
    names = [unique("a"), unique("b"), unique("c")]
    for name in names:
        device.start(image, name, labels={label: "x"}, cmd="/bin/idle")
    try:
        device.stop(names[2], force=True)

        def listed(limit=0, all=True, **filters):
            request = messages.ListContainerRequest(all=all, limit=limit, filter=[
                {"key": key, "value": value} for key, value in filters.items()])
            return sorted(c.name for c in device.stub.ListContainer(request, timeout=DEADLINE))

        assert listed(label=[label]) == sorted(names)
        assert listed(label=[f"{label}=x"]) == sorted(names)
        assert listed(label=[f"{label}=y"]) == []
        assert listed(name=[names[0]]) == [names[0]]
        assert listed(name=names[:2]) == sorted(names[:2])
        assert listed(label=[label], status=["exited"]) == [names[2]]
        assert listed(label=[label], all=False) == sorted(names[:2])
        assert listed(label=[label], image=[image]) == sorted(names)
        assert len(listed(label=[label], limit=2)) == 2
        assert listed(label=[label], name=[names[1]], all=False) == [names[1]]
    finally:
        for name in names:
            code_of(device.remove, name)


def test_2_4_two_containers_reach_each_other(device, image, unique):
    """By the port of one on the device, as the containers do not know each other's addresses."""
    server, client, port = unique("server"), unique("client"), free_port()
    device.start(image, server, ports=[{"internal": 8080, "external": port}])
    try:
        wait_until(lambda: answers(port), "the server")
        device.start(image, client, cmd=(
            "sh -c 'wget -q -O - http://$(ip route | sed -n \"s/default via \\([^ ]*\\).*/\\1/p\")"
            f":{port}/'"))
        wait_until(lambda: device.log_text(client) == "hello from a container\n",
                   "the client's answer")
    finally:
        code_of(device.remove, server)
        code_of(device.remove, client)


def test_2_1_with_the_network_host_equal_ports_are_simply_true(device, image, unique):
    name, port = unique("host"), free_port()
    device.start(image, name, network="host", cmd=f"/bin/serve {port}",
                 ports=[{"internal": port, "external": port}])
    try:
        assert wait_until(lambda: answers(port), "the page") == "hello from a container\n"
    finally:
        device.remove(name)


def test_2_2_the_device_s_own_services_are_reachable_with_the_network_host(
        device, image, unique):
    for family, address, target in [
            (socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::", "::1")]:
        name = unique("host")
        with socket.create_server((address, 0), family=family) as server:
            server.settimeout(DEADLINE)
            port = server.getsockname()[1]
            device.start(image, name, network="host",
                         cmd=f"sh -c 'echo question | nc {target} {port}'")
            try:
                peer, _ = server.accept()
                with peer:
                    assert peer.recv(4096) == b"question\n"
                    peer.sendall(b"from the device\n")
                wait_until(lambda: device.log_text(name) == "from the device\n", "the answer")
            finally:
                device.remove(name)


def test_a_command_relative_to_the_working_directory_runs(device, unique):
    """The conformance tests' own image runs ./cntrsrv."""
    name, image = unique("instance"), unique("image")
    device.push(make_image.image_bytes(WorkingDir="/bin"), image, "latest")
    try:
        device.start(f"{image}:latest", name, cmd="./serve 1234")
        wait_until(lambda: "serving on 1234" in device.log_text(name), "the command to run")
    finally:
        code_of(device.remove, name)
        code_of(device.remove_image, f"{image}:latest", force=True)


def test_a_name_goes_although_a_container_uses_the_image_under_another(
        device, image, running, tarball, unique):
    other = unique("image")
    device.push(tarball, other, "latest")
    device.remove_image(f"{other}:latest")
    assert f"{other}:latest" not in device.images() and image in device.images()
    assert code_of(device.remove_image, image) == Code.FAILED_PRECONDITION
    assert device.state(running) == "RUNNING"
