"""Power cuts: what was there before is there afterwards, and updates end with one container."""

import json
import os
import random
import threading
import time

import grpc
import pytest

from conftest import ENGINES, need
from gnoi import Code, Device, code_of
from harness import Daemon, wait_until
from machine import Machine


class Board:
    """A machine with an engine and cz-runtime, and the front that a client talks to."""

    def __init__(self, machine, folder):
        self.machine, self.folder = machine, folder
        self.runtime = None

    def boot(self):
        self.machine.boot()
        self.runtime = Daemon(
            "cz-runtime", "--socket", self.folder / "runtime.sock", "--engine",
            self.machine.engine, "--engine-socket", self.machine.socket, "--state-dir",
            self.folder / "state", "--settle-time", "0.5")

    def cut_power(self):
        self.runtime.kill()
        self.machine.cut_power()

    def update_is_underway(self, name):
        """Whether the disk says that an update was broken off before it was committed."""
        record = self.folder / f"state/updates/{name}.json"
        return record.exists() and json.loads(record.read_text())["state"] == "underway"


@pytest.fixture(params=ENGINES)
def board(request, tmp_path):
    need(request.param)
    board = Board(Machine(request.param, tmp_path), tmp_path)
    board.boot()
    yield board
    board.runtime.stop()
    board.machine.cut_power()


@pytest.fixture
def device(board):
    front = f"unix:{board.folder}/front.sock"
    with (Daemon("containerzd", "--insecure", "--listen", front, "--runtime-socket",
                 board.folder / "runtime.sock"),
          grpc.insecure_channel(front) as channel):
        device = Device(channel)
        yield device
        for name in device.containers():
            device.remove(name)


def test_1_8_and_3_all_is_there_after_cold_reboots(board, device, tarball, unique):
    image, name, volume = unique("image"), unique("instance"), unique("volume")
    stopped, removed, gone = unique("stopped"), unique("removed"), unique("gone")
    device.push(tarball, image, "1")
    device.push(tarball, gone, "1")
    device.remove_image(f"{gone}:1")
    device.create_volume(volume)
    device.create_volume(gone)
    device.remove_volume(gone)
    always = {"policy": "ALWAYS"}
    mount = [{"name": volume, "mount_point": "/data"}]
    device.start(f"{image}:1", name, restart=always, volumes=mount,
                 cmd="sh -c 'echo boot >> /data/boots; exec sleep 1000'")
    for other in stopped, removed:
        device.start(f"{image}:1", other, restart={"policy": "UNLESS_STOPPED"}, cmd="sleep 1000")
    device.stop(stopped, force=True)
    device.remove(removed)
    # Twice, as by a change of supervisor and back.
    for boots in 2, 3:
        board.cut_power()
        assert code_of(device.images) == Code.UNAVAILABLE
        board.boot()
        wait_until(lambda: device.state(name) == "RUNNING", "the container to run again", 30)
        assert device.containers()[name].image_name == f"{image}:1"
        assert volume in device.volumes() and gone not in device.volumes()
        assert f"{gone}:1" not in device.images()
        assert device.state(stopped) == "STOPPED"
        assert removed not in device.containers()
        reader = unique("reader")
        device.start(f"{image}:1", reader, volumes=mount, cmd="cat /data/boots")
        wait_until(lambda: device.log_text(reader) == "boot\n" * boots, "the volume's content")


@pytest.mark.parametrize("policy", ["NONE", "ALWAYS"])
def test_power_cuts_during_updates(board, device, tarball, unique, policy):
    """CONTAINERZ_CUTS sets the number of cuts."""
    cuts = int(os.environ.get("CONTAINERZ_CUTS", 4))
    name, image = unique("instance"), unique("image")
    for tag in "v1", "v2":
        device.push(tarball, image, tag)
    device.start(f"{image}:v1", name, restart={"policy": policy}, cmd="/bin/idle")
    current, chance, outcomes = "v1", random.Random(policy), {"old": 0, "new": 0}
    for _ in range(cuts):
        wanted = "v2" if current == "v1" else "v1"
        call = threading.Thread(target=code_of, args=[device.update, name, f"{image}:{wanted}"])
        call.start()
        time.sleep(chance.uniform(0.02, 1.2))
        board.cut_power()
        call.join()
        underway = board.update_is_underway(name)
        board.boot()
        wait_until(lambda: code_of(device.containers) == Code.OK and (
            device.update_state(name) in ("done", "failed", "none")), "the update to be brought to an end")
        if policy == "NONE" and not underway:
            # Like any container without a policy; only an update in progress is owed a start.
            wait_until(lambda: device.state(name) in ("STOPPED", "PRESENT"), "it to be stopped")
            device.start("", name)
        wait_until(lambda: device.state(name) == "RUNNING", "the one that remained to run")
        listed = device.containers()
        assert list(listed) == [name]
        current, before = listed[name].image_name.rpartition(":")[2], current
        assert current in (before, wanted)
        outcomes["new" if current == wanted else "old"] += 1
    print(f"{board.machine.engine}, policy {policy}: {cuts} power cuts, {outcomes['old']} ended "
          f"with the old container, {outcomes['new']} with the new one, none without")


@pytest.mark.parametrize("board", ["docker"], indirect=True)
def test_an_engine_that_is_killed_during_an_update(board, device, tarball, unique):
    """The engine's daemon alone; Podman's service keeps nothing that could be lost."""
    name, image = unique("instance"), unique("image")
    for tag in "v1", "v2":
        device.push(tarball, image, tag)
    device.start(f"{image}:v1", name, restart={"policy": "ALWAYS"}, cmd="/bin/idle")
    current, chance = "v1", random.Random(2)
    for _ in range(4):
        wanted = "v2" if current == "v1" else "v1"
        call = threading.Thread(target=code_of, args=[device.update, name, f"{image}:{wanted}"])
        call.start()
        time.sleep(chance.uniform(0.02, 1.2))
        board.machine.cut_power()
        call.join()
        board.machine.boot()
        wait_until(lambda: code_of(device.containers) == Code.OK and (
            device.update_state(name) in ("done", "failed", "none")), "the update to be brought to an end")
        wait_until(lambda: device.state(name) == "RUNNING", "the one that remained to run")
        listed = device.containers()
        assert list(listed) == [name]
        current, before = listed[name].image_name.rpartition(":")[2], current
        assert current in (before, wanted)
    assert board.runtime.process.poll() is None
