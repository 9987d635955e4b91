"""Updates, on Docker and on Podman: the new container or the old one, never none, never both."""

import os
import random
import subprocess
import threading
import time

import grpc
import pytest

import make_image
from conftest import ENGINES, engine_socket, need
from gnoi import Code, Device, code_of, messages, status_of
from harness import Daemon, free_port, wait_until
from relay import Relay

CRASH = "sh -c 'echo first; echo cannot go on; exit 3'"


@pytest.fixture
def images(device, tarball, unique):
    """Two versions of an image."""
    name = unique("image")
    for tag in "v1", "v2":
        device.push(tarball, name, tag)
    yield f"{name}:v1", f"{name}:v2"
    for container in device.containers().values():
        if container.image_name.startswith(f"{name}:"):
            code_of(device.remove, container.name)
    for tag in "v1", "v2":
        code_of(device.remove_image, f"{name}:{tag}", force=True)


@pytest.fixture
def instance(device, images, unique):
    name = unique("instance")
    device.start(images[0], name, environment={"KEPT": "yes"}, labels={"tier": "front"},
                 restart={"policy": "ALWAYS"}, cmd="sh -c 'touch /written; exec /bin/idle'")
    yield name
    code_of(device.remove, name)


def same_as_before(device, name, before):
    now = device.containers()[name]
    assert now.id == before.id and now.image_name == before.image_name
    # An update whose client is gone may have begun only after this was asked for the first time.
    wait_until(lambda: device.state(name) == "RUNNING", "the old version to run")
    labels = {key: value for key, value in now.labels.items() if ".update." not in key}
    assert labels == {k: v for k, v in before.labels.items() if ".update." not in k}


def test_1_6a_an_update_replaces_the_container(device, images, unique):
    name, port = unique("instance"), free_port()
    ports = [{"internal": 60061, "external": port}]
    device.start(images[0], name, cmd="/bin/serve 60061", ports=ports)
    before = device.containers()[name]
    answer = device.update(name, images[1], ports=ports)
    assert (answer.instance_name, answer.is_async) == (name, False)
    after = device.containers()[name]
    assert device.state(name) == "RUNNING"
    assert after.image_name == images[1] and after.id != before.id
    assert after.labels["org.containerz.update.state"] == "done"
    assert [c for c in device.containers() if name in c or "containerz-" in c] == [name]
    device.remove(name)


def test_1_6b_what_is_not_there(device, images, instance, unique):
    before = device.containers()[instance]
    for target, image in [(instance, f"{unique('none')}:v2"), (instance, images[0][:-2] + "v3"),
                          (unique("none"), images[1])]:
        assert code_of(device.update, target, image) == Code.NOT_FOUND
    same_as_before(device, instance, before)
    assert code_of(device.update, "", images[1]) == Code.INVALID_ARGUMENT
    assert code_of(device.update, instance, ":v2") == Code.INVALID_ARGUMENT


def test_what_is_not_given_stays(device, images, unique):
    name, port, volume = unique("instance"), free_port(), unique("volume")
    device.create_volume(volume)
    device.start(
        images[0], name, cmd="sh -c 'echo \"$KEPT\" >> /data/file; cat /data/file; exec /bin/serve'",
        ports=[{"internal": 8080, "external": port}], environment={"KEPT": "yes"},
        volumes=[{"name": volume, "mount_point": "/data"}], labels={"tier": "front"})
    wait_until(lambda: "serving" in device.log_text(name), "the server")
    device.update(name, images[1])
    wait_until(lambda: "serving" in device.log_text(name), "the server")
    assert device.log_text(name).startswith("yes\nyes\n")
    assert device.containers()[name].labels["tier"] == "front"
    device.update(name, images[0], environment={"KEPT": "changed"})
    wait_until(lambda: "serving" in device.log_text(name), "the server")
    assert device.log_text(name).startswith("yes\nyes\nchanged\n")
    device.remove(name)
    device.remove_volume(volume)


def test_a_volume_that_nobody_named_survives(device, unique):
    name, instance = unique("image"), unique("instance")
    write = "sh -c 'echo {0} >> /data/file; cat /data/file; {1}'"
    for tag in "v1", "v2":
        device.push(make_image.image_bytes(text=tag, Volumes={"/data": {}}), name, tag)
    device.start(f"{name}:v1", instance, cmd=write.format("first", "exec /bin/idle"))
    volumes = device.volumes()
    code, text = status_of(
        device.update, instance, f"{name}:v2", cmd=write.format("failed", "exit 3"))
    assert code == Code.INTERNAL and "first\nfailed" in text
    device.update(instance, f"{name}:v2", cmd=write.format("second", "exec /bin/idle"))
    wait_until(lambda: "idle" in device.log_text(instance), "the start")
    # The first one was started twice.
    assert device.log_text(instance) == "first\nfailed\nfirst\nsecond\nidle\n"
    assert sorted(device.volumes()) == sorted(volumes)
    device.remove(instance)
    for tag in "v1", "v2":
        device.remove_image(f"{name}:{tag}")


def test_a_stopped_instance_is_updated_and_started(device, images, instance):
    device.stop(instance, force=True)
    device.update(instance, images[1])
    assert device.state(instance) == "RUNNING"
    assert device.containers()[instance].image_name == images[1]


@pytest.mark.parametrize("restart", ["NONE", "ALWAYS"])
def test_a_version_that_crashes_at_once(device, images, instance, restart):
    before = device.containers()[instance]
    code, text = status_of(
        device.update, instance, images[1], cmd=CRASH, restart={"policy": restart})
    assert code == Code.INTERNAL
    assert "did not prove itself" in text and "cannot go on" in text
    same_as_before(device, instance, before)
    labels = device.containers()[instance].labels
    assert labels["org.containerz.update.state"] == "failed"
    assert "cannot go on" in labels["org.containerz.update.error"]
    # Nothing stands in the way of the next one.
    device.update(instance, images[1])
    assert device.containers()[instance].image_name == images[1]


def test_a_version_that_does_not_start(device, images, instance):
    before = device.containers()[instance]
    code, text = status_of(device.update, instance, images[1], cmd="/no/such/program")
    assert code == Code.INTERNAL and "did not start" in text
    same_as_before(device, instance, before)


def test_what_cannot_be_is_refused_before_anything_happens(device, images, instance, unique):
    before = device.containers()[instance]
    taken, other = free_port(), unique("instance")
    device.start(images[0], other, cmd="/bin/serve", ports=[{"internal": 8080, "external": taken}])
    for code, fields in [
            (Code.UNAVAILABLE, {"ports": [{"internal": 8080, "external": taken}]}),
            (Code.NOT_FOUND, {"network": unique("network")}),
            (Code.NOT_FOUND, {"volumes": [{"name": unique("volume"), "mount_point": "/data"}]}),
            (Code.INVALID_ARGUMENT, {"cap": {"add": ["NONSENSE"]}}),
            (Code.INVALID_ARGUMENT, {"location": "L_BACKUP"})]:
        for detach in False, True:
            assert code_of(device.update, instance, images[1], detach=detach, **fields) == code
    same_as_before(device, instance, before)
    device.remove(other)


def test_a_removed_instance_leaves_no_record(stack, device, images, instance):
    device.update(instance, images[1])
    record = stack.folder / "state" / "updates" / f"{instance}.json"
    assert record.stat().st_mode & 0o777 == 0o600
    device.remove(instance)
    assert not record.exists()


def test_async_tells_the_outcome_later(device, images, instance):
    assert device.update(instance, images[1], detach=True).is_async
    wait_until(lambda: device.update_state(instance) == "done", "the update")
    assert device.containers()[instance].image_name == images[1]
    assert device.update(instance, images[0], cmd=CRASH, detach=True).is_async
    wait_until(lambda: device.update_state(instance) == "failed", "the update to fail")
    labels = device.containers()[instance].labels
    assert "exit code 3" in labels["org.containerz.update.error"]
    assert device.containers()[instance].image_name == images[1]


def test_one_at_a_time(device, images, instance):
    device.update(instance, images[1], detach=True)
    assert code_of(device.update, instance, images[1]) == Code.UNAVAILABLE
    assert code_of(device.stop, instance) == Code.UNAVAILABLE
    assert code_of(device.remove, instance) == Code.UNAVAILABLE
    wait_until(lambda: code_of(device.update, instance, images[0]) == Code.OK, "its turn")


@pytest.mark.parametrize("after", [0.05, 0.3, 0.7])
def test_a_client_that_goes_away(device, images, instance, after):
    before = device.containers()[instance]
    name, _, tag = images[1].rpartition(":")
    call = device.stub.UpdateContainer.future(messages.UpdateContainerRequest(
        instance_name=instance, image_name=name, image_tag=tag), timeout=60)
    time.sleep(after)
    call.cancel()

    wait_until(lambda: device.update_state(instance) in ("none", "failed", "done"), "its end")
    same_as_before(device, instance, before)


def test_a_deadline_that_passes(device, images, instance):
    before = device.containers()[instance]
    code = code_of(device.update, instance, images[1], timeout=0.6)
    assert code == Code.DEADLINE_EXCEEDED
    wait_until(lambda: device.update_state(instance) == "failed", "the update to end")
    same_as_before(device, instance, before)


def health(**labels):
    return {f"org.containerz.health.{key}": str(value) for key, value in labels.items()}


@pytest.mark.parametrize("labels", [health(http="8080/index.html"), health(tcp=8080)],
                         ids=["http", "tcp"])
def test_a_version_that_is_well(device, images, instance, labels):
    # It takes a while until it answers.
    device.update(instance, images[1], cmd="sh -c 'sleep 1; exec /bin/serve'", labels=labels)
    assert device.containers()[instance].image_name == images[1]
    assert "serving" in device.log_text(instance)


@pytest.mark.parametrize("labels, reason", [
    (health(http="8080/missing", timeout=2), "status 404"),
    (health(tcp=9, timeout=2), "refused"),
    (health(grpc=8080, timeout=2), "grpc://"),
], ids=["http", "tcp", "grpc"])
def test_a_version_that_is_not_well(device, images, instance, labels, reason):
    before = device.containers()[instance]
    code, text = status_of(
        device.update, instance, images[1], cmd="/bin/serve", labels=labels)
    assert code == Code.INTERNAL and reason in text, text
    same_as_before(device, instance, before)


@pytest.mark.parametrize("labels", [
    health(http="evil.example/"), health(http="80@evil.example/"), health(tcp="22/x"),
    health(http=80, tcp=80), health(timeout="soon")])
def test_health_labels_that_cannot_be(device, images, instance, labels):
    before = device.containers()[instance]
    assert code_of(device.update, instance, images[1], labels=labels) == Code.INVALID_ARGUMENT
    same_as_before(device, instance, before)


@pytest.mark.parametrize("test, code", [("true", Code.OK), ("false", Code.INTERNAL)])
def test_the_image_s_own_health_check(docker_device, unique, test, code):
    """On Docker; Podman has systemd run it, which is not there in a test."""
    name, instance, second = unique("image"), unique("instance"), 10 ** 9
    docker_device.push(make_image.image_bytes(), name, "v1")
    docker_device.push(make_image.image_bytes(text="v2", Healthcheck={
        "Test": ["CMD", f"/bin/{test}"], "Interval": second, "Retries": 1}), name, "v2")
    docker_device.start(f"{name}:v1", instance, cmd="/bin/idle")
    found, text = status_of(docker_device.update, instance, f"{name}:v2")
    assert found == code, text
    assert code == Code.OK or "health check failed" in text
    tag = "v2" if code == Code.OK else "v1"
    assert docker_device.containers()[instance].image_name == f"{name}:{tag}"
    docker_device.remove(instance)
    for tag in "v1", "v2":
        docker_device.remove_image(f"{name}:{tag}")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_goes_away_meanwhile(engine, tmp_path, tarball, unique):
    need(engine)
    runtime_socket, front_socket = tmp_path / "runtime.sock", f"unix:{tmp_path}/front.sock"
    relay = Relay(tmp_path / "engine.sock", engine_socket(engine))
    relay.open()
    name, image = unique("instance"), unique("image")
    with (Daemon("cz-runtime", "--socket", runtime_socket, "--engine-socket", relay.path,
                 "--state-dir", tmp_path / "state", "--settle-time", "0.5"),
          Daemon("containerzd", "--insecure", "--listen", front_socket, "--runtime-socket",
                 runtime_socket), grpc.insecure_channel(front_socket) as channel):
        device = Device(channel)
        for tag in "v1", "v2":
            device.push(tarball, image, tag)
        device.start(f"{image}:v1", name, cmd="/bin/idle")
        for delay in 0.02, 0.1, 0.3, 0.6, 0.9, 1.2:
            current = device.containers()[name].image_name
            wanted = f"{image}:{'v2' if current.endswith('v1') else 'v1'}"
            answer = []
            call = threading.Thread(
                target=lambda: answer.append(code_of(device.update, name, wanted)))
            call.start()
            time.sleep(delay)
            relay.close()
            call.join()
            relay.ends = []
            relay.open()
            wait_until(lambda: code_of(device.containers) == Code.OK and (
                device.update_state(name) in ("done", "failed", "none")), "the update's end")
            listed = device.containers()[name]
            assert device.state(name) == "RUNNING"
            assert listed.image_name in (current, wanted)
            if answer == [Code.OK]:
                assert listed.image_name == wanted
        device.remove(name)
        for tag in "v1", "v2":
            device.remove_image(f"{image}:{tag}")
    relay.close()


@pytest.mark.parametrize("engine, rounds", [("docker", 200), ("podman", 40)])
def test_killed_at_random_times(engine, rounds, tmp_path, certificates, tarball, unique):
    """CONTAINERZ_KILLS sets the number of rounds."""
    need(engine)
    rounds = int(os.environ.get("CONTAINERZ_KILLS", rounds))
    runtime_socket, front_socket = tmp_path / "runtime.sock", f"unix:{tmp_path}/front.sock"
    runtime = ("cz-runtime", "--socket", runtime_socket, "--engine", engine, "--engine-socket",
               engine_socket(engine), "--state-dir", tmp_path / "state", "--settle-time", "0.3")
    name, image = unique("instance"), unique("image")
    chance = random.Random(1)
    outcomes = {"old": 0, "new": 0}
    with (Daemon("containerzd", "--insecure", "--listen", front_socket, "--runtime-socket",
                 runtime_socket), grpc.insecure_channel(front_socket) as channel):
        device = Device(channel)
        daemon = Daemon(*runtime)
        for tag in "v1", "v2":
            device.push(tarball, image, tag)
        device.start(f"{image}:v1", name)
        current = "v1"
        for _ in range(rounds):
            wanted = "v2" if current == "v1" else "v1"
            call = threading.Thread(
                target=code_of, args=[device.update, name, f"{image}:{wanted}"])
            call.start()
            time.sleep(chance.uniform(0, 1.3))
            daemon.kill()
            call.join()
            daemon = Daemon(*runtime)

            def settled():
                return code_of(device.containers) == Code.OK and (
                    device.update_state(name) in ("done", "failed", "none"))
            wait_until(settled, "the update to be brought to an end")
            assert device.state(name) == "RUNNING"
            outcome = device.containers()[name].image_name.rpartition(":")[2]
            assert outcome in (current, wanted)
            outcomes["new" if outcome == wanted else "old"] += 1
            current = outcome

            def is_tidy():
                """What the engine was still at when cz-runtime was killed goes a little later."""
                left = subprocess.run(
                    ["curl", "--silent", "--unix-socket", engine_socket(engine),
                     "http://e/v1.41/containers/json?all=1"], capture_output=True, text=True,
                    check=True).stdout
                return "containerz-aside-" not in left and "containerz-update-" not in left
            wait_until(is_tidy, "no other container to be left")
            assert device.state(name) == "RUNNING"
        print(f"{engine}: {rounds} kills, {outcomes['old']} ended with the old container, "
              f"{outcomes['new']} with the new one, none without")
        device.remove(name)
        for tag in "v1", "v2":
            device.remove_image(f"{image}:{tag}")
        daemon.stop()
