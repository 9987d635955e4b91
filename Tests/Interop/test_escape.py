"""Attacks of a client with the WRITE scope, on each engine under the built-in policy.

Each test plays an attack and then looks from outside at what was gained: at the mounts and the
status of the container's process and at the files of the device, not at what the API answered.
containerz-policy(5) says what a WRITE client can and cannot do; each of its sentences has its
attack here.
"""

import contextlib
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import threading

import pytest

import make_image
from conftest import pushed_image
from gnoi import Code, code_of, status_of
from harness import named, wait_until

ROOT_ONLY = pathlib.Path("/etc/shadow")


@pytest.fixture
def image(default, tarball, unique):
    yield from pushed_image(default.device, tarball, unique)


def bind(*pairs, read_only=False):
    return {"volumes": [{"name": str(source), "mount_point": target, "read_only": read_only}
                        for source, target in pairs]}


def shell(script):
    return {"cmd": f"sh -c '{script}'"}


def mounts_of(pid):
    """(device, path in the file system, mount point, options) of each mount of a process."""
    lines = pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [(fields[2], fields[3], fields[4], fields[5])
            for fields in map(str.split, lines)]


def status_field(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    raise KeyError(field)


def has_capability(pid, number, field="CapBnd"):
    return bool(int(status_field(pid, field), 16) >> number & 1)


CHOWN, NET_RAW, MKNOD = 0, 13, 27


def files_of_root_in(default, name):
    """Whether a container has /etc of the device, looked at from outside."""
    pid = default.engine.pid(name) if name in default.device.containers() else 0
    if not pid:
        return []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [point for _, path, point, _ in mounts_of(pid)
                if path == "/etc" or path.startswith("/etc/") and point not in (
                    "/etc/hosts", "/etc/resolv.conf", "/etc/hostname")]
    return []


@contextlib.contextmanager
def no_file_in_etc():
    """Whatever happens, no container creates a file of this name in the device's /etc."""
    path = pathlib.Path("/etc/containerz-attacker-was-here")
    path.unlink(missing_ok=True)
    try:
        yield path
        assert not path.exists(), "a container wrote into the device's /etc"
    finally:
        path.unlink(missing_ok=True)


SWAP = "rmdir /x/y; ln -s /etc /x/y"
WRITE_ETC = "touch /mnt/containerz-attacker-was-here; while :; do sleep 1; done"


# --- 1: bind mounts that are redirected between the check and the mount ---


def test_update_does_not_follow_a_link_of_the_old_container(
        default, image, unique, shared_folder, attack):
    (shared_folder / "y").mkdir()
    name = default.device.start(
        image, unique(), **bind((shared_folder, "/x")),
        **shell(f'trap "{SWAP}; exit 0" TERM; while :; do sleep 1; done'))
    with no_file_in_etc():
        code, text = status_of(default.device.update, name, image,
                               **bind((shared_folder / "y", "/mnt")), **shell(WRITE_ETC))
        assert files_of_root_in(default, name) == []
    assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text
    assert default.device.state(name) == "RUNNING"
    attack("the old container swaps the new one's bind for a link while it is stopped",
           f"{code.name}, no file of /etc")


def test_rollback_does_not_follow_a_link_of_the_new_container(
        default, image, unique, shared_folder, attack):
    (shared_folder / "y").mkdir()
    name = default.device.start(
        image, unique(), **bind((shared_folder / "y", "/mnt")), **shell(WRITE_ETC))
    with no_file_in_etc():
        code, _ = status_of(default.device.update, name, image,
                            **bind((shared_folder, "/x")), **shell(f"{SWAP}; exit 1"))
        assert files_of_root_in(default, name) == []
    assert code is Code.PERMISSION_DENIED
    attack("the new container swaps the old one's bind for a link and fails", code.name)


@pytest.mark.parametrize("rounds", [8])
def test_two_starts_at_once_see_each_other(
        default, image, unique, shared_folder, attack, rounds):
    (shared_folder / "y").mkdir()
    outcomes = set()
    for _ in range(rounds):
        names = unique(), unique()
        codes = [None, None]
        barrier = threading.Barrier(2)

        def start(index, source):
            barrier.wait()
            codes[index] = code_of(
                default.device.start, image, names[index], **bind((source, "/x")), cmd="idle")

        threads = [threading.Thread(target=start, args=argument) for argument in
                   [(0, shared_folder), (1, shared_folder / "y")]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        running = [name for name in names if default.device.state(name) == "RUNNING"]
        assert len(running) <= 1, codes
        outcomes.add(tuple(codes))
        for name in names:
            code_of(default.device.remove, name)
    attack(f"{rounds} pairs of starts of a folder and one below it at once",
           "never both, " + ", ".join(sorted(
               "/".join(code.name if code else "OK" for code in codes) for codes in outcomes)))


@contextlib.contextmanager
def mounted(*arguments, point):
    point.mkdir(exist_ok=True)
    subprocess.run(["mount", *map(str, arguments), str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def test_read_only_folder_is_not_writable_below_a_mount(
        default, image, unique, shared_folder, attack):
    with mounted("-t", "tmpfs", "tmpfs", point=shared_folder / "usb") as usb:
        (usb / "y").mkdir()
        code, text = status_of(default.device.start, image, unique(),
                               **bind((shared_folder, "/x"), read_only=True), cmd="idle")
        assert code is Code.PERMISSION_DENIED and "would be writable" in text
        # The mount itself can be had, and then is read-only.
        name = default.device.start(
            image, unique(), **bind((usb, "/x"), read_only=True), cmd="idle")
        options = {point: options for _, _, point, options in mounts_of(default.engine.pid(name))}
        assert "ro" in options["/x"].split(",")
        assert code_of(default.device.start, image, unique(), **bind((usb / "y", "/x"))) is (
            Code.PERMISSION_DENIED)
        default.device.remove(name)
    attack("a read-only bind of a folder with a writable mount below it", code.name)


def test_one_folder_under_two_names_is_one(default, image, unique, shared_folder, attack):
    inner, alias = shared_folder / "d", shared_folder / "alias"
    (inner / "y").mkdir(parents=True)
    with mounted("--bind", inner, point=alias):
        name = default.device.start(image, unique(), **bind((inner, "/x")), cmd="idle")
        codes = [code_of(default.device.start, image, unique(), **bind((alias / "y", "/x"))),
                 code_of(default.device.update, name, image, **bind((alias / "y", "/x")))]
        assert codes == [Code.PERMISSION_DENIED] * 2
        # Both names of the same folder are harmless.
        other = default.device.start(image, unique(), **bind((alias, "/x")), cmd="idle")
        default.device.remove(other)
        default.device.remove(name)
    attack("a folder below one that a container has, through another mount", codes[0].name)


def test_volume_is_no_way_around_the_rule(default, image, unique, shared_folder, attack):
    (shared_folder / "y").mkdir()
    outer, inner = (default.device.create_volume(
        unique("volume"), local_mount_options={"type": "TYPE_NONE", "options": ["bind"],
                                               "mountpoint": str(path)})
        for path in (shared_folder, shared_folder / "y"))
    name = default.device.start(image, unique(), **bind((outer, "/x")), cmd="idle")
    codes = [code_of(default.device.start, image, unique(), **bind((inner, "/x"))),
             code_of(default.device.start, image, unique(), **bind((shared_folder / "y", "/x"))),
             code_of(default.device.update, name, image, **bind((inner, "/x")))]
    assert codes == [Code.PERMISSION_DENIED] * 3
    default.device.remove(name)
    for volume in outer, inner:
        default.device.remove_volume(volume)
    attack("nested folders as volumes", codes[0].name)


def test_link_is_resolved_when_the_container_is_created(
        default, image, unique, shared_folder, attack):
    (shared_folder / "data").mkdir()
    (shared_folder / "link").symlink_to("data")
    name = default.device.start(
        image, unique(), **bind((shared_folder / "link", "/x")), cmd="idle")
    (shared_folder / "link").unlink()
    (shared_folder / "link").symlink_to("/etc")
    default.engine.restart(name)
    wait_until(lambda: default.engine.pid(name), "the container to run again")
    (path,) = [path for _, path, point, _ in mounts_of(default.engine.pid(name)) if point == "/x"]
    assert path.endswith("/data")
    default.device.remove(name)
    attack("a link that leads elsewhere when the engine restarts the container", "still its folder")


def test_container_with_redirected_mount_is_stopped(
        default, image, unique, shared_folder, attack):
    """A program of the device, which the rule cannot bind, swaps the folder."""
    (shared_folder / "y").mkdir()
    name = default.device.start(image, unique(), restart={"policy": "ALWAYS"},
                                **bind((shared_folder / "y", "/mnt")), cmd="idle")
    (shared_folder / "y").rmdir()
    (shared_folder / "y").symlink_to("/etc")
    default.engine.restart(name)
    wait_until(lambda: "mounts were redirected" in default.runtime.text(), "the finding")
    wait_until(lambda: default.device.state(name) == "STOPPED", "the container to be stopped")
    # Nor is it started again, by anybody who asks.
    assert code_of(default.device.start, "", name) is Code.PERMISSION_DENIED
    assert code_of(default.device.stop, name, restart=True) is Code.PERMISSION_DENIED
    assert default.engine.pid(name) == 0
    default.device.remove(name)
    attack("the engine restarts a container whose folder has become a link",
           "stopped and reported")


def test_containers_are_checked_when_the_daemon_starts(
        guarded, tarball, unique, shared_folder, attack):
    """As after a boot at which the engine was up first."""
    (shared_folder / "y").mkdir()
    image = f"{unique('image')}:1"
    with guarded.running():
        guarded.device.push(tarball, image.removesuffix(":1"), "1")
        name = guarded.device.start(
            image, unique(), **bind((shared_folder / "y", "/mnt")), cmd="idle")
    (shared_folder / "y").rmdir()
    (shared_folder / "y").symlink_to("/etc")
    guarded.engine.restart(name)
    assert guarded.engine.pid(name)
    with guarded.running():
        wait_until(lambda: guarded.engine.pid(name) == 0, "the container to be stopped")
        wait_until(lambda: "mounts were redirected" in guarded.runtime.text(), "the finding")
        guarded.device.remove(name)
        guarded.device.remove_image(image, force=True)
    attack("a container got /etc before cz-runtime ran", "stopped when it starts")


@pytest.fixture(scope="module")
def holder(tmp_path_factory):
    """The program of holder.c, for an image."""
    program = tmp_path_factory.mktemp("holder") / "holder"
    subprocess.run(["gcc", "-static", "-O1", "-o", program,
                    pathlib.Path(__file__).parent / "holder.c"], check=True)
    return {"holder": (program.read_bytes(), 0o755)}


@pytest.fixture
def attacker(default, holder, unique):
    """An image with that program: NAME:TAG."""
    name = unique("image")
    default.device.push(make_image.image_bytes(extra=holder), name, "1")
    yield f"{name}:1"
    for container in default.device.containers().values():
        if container.image_name == f"{name}:1":
            code_of(default.device.remove, container.name)
    code_of(default.device.remove_image, f"{name}:1", force=True)


def wait_for_line(default, name, line):
    wait_until(lambda: line in "".join(message.msg for message in default.device.log(name)),
               f"{name} to write '{line}'")


@pytest.mark.parametrize("restarted", [False, True])
def test_descriptor_outlives_the_container_that_had_the_folder(
        default, attacker, unique, shared_folder, attack, restarted):
    outer, meeting = shared_folder / "outer", shared_folder / "meeting"
    (outer / "y").mkdir(parents=True)
    meeting.mkdir()
    keeper, giver, victim = unique(), unique(), unique()
    default.device.start(attacker, keeper, **bind((meeting, "/c")),
                         cmd="/holder hold /c/socket y /etc /c/go")
    default.device.start(attacker, giver, **bind((meeting, "/c"), (outer, "/x")),
                         cmd="/holder send /c/socket /x")
    wait_for_line(default, keeper, "holding")
    if restarted:
        # While none runs, none has a descriptor. Those that are started again get their folders.
        for name in keeper, giver:
            default.device.stop(name, force=True)
        for name in keeper, giver:
            default.device.start("", name)
        wait_for_line(default, keeper, "holding\nholding")
    default.device.remove(giver)
    with no_file_in_etc():
        code, text = status_of(
            default.device.start, attacker, victim, restart={"policy": "ALWAYS"},
            **bind((outer / "y", "/mnt"), (meeting, "/c")),
            **shell(f"touch /c/go; sleep 1; [ -e /mnt/shadow ] || exit 1; {WRITE_ETC}"))
        assert files_of_root_in(default, victim) == []
    assert code is Code.PERMISSION_DENIED and "which another container had" in text
    # The memory of it survives a restart of cz-runtime, and ends with the last container.
    default.device.remove(keeper)
    default.device.remove(default.device.start(
        attacker, victim, **bind((outer / "y", "/mnt")), cmd="idle"))
    attack("a container keeps a descriptor of a folder of one that was removed", code.name)


def test_container_that_ignores_its_stop_still_holds(
        default, attacker, image, unique, shared_folder, attack):
    (shared_folder / "outer/y").mkdir(parents=True)
    keeper, outer = unique(), unique()
    default.device.start(image, keeper, **shell('trap "" TERM; while :; do sleep 1; done'))
    default.device.start(attacker, outer, **bind((shared_folder / "outer", "/x")), cmd="idle")
    default.device.remove(outer)
    stopping = threading.Thread(target=code_of, args=(default.device.stop, keeper))
    stopping.start()
    try:
        wait_until(lambda: default.engine.inspect(keeper)["State"]["Status"] != "running"
                   or default.engine_name == "docker", "the stop to begin")
        code = code_of(default.device.start, attacker, unique(), cmd="idle",
                       **bind((shared_folder / "outer/y", "/mnt")))
    finally:
        stopping.join()
    assert code is Code.PERMISSION_DENIED
    attack("a folder within one that was had, while the last container is being stopped",
           code.name)


def test_folder_under_a_mount_keeps_its_links(
        default, image, unique, shared_folder, attack):
    usb = shared_folder / "usb"
    usb.mkdir()
    name = default.device.start(image, unique(), **bind((usb, "/x")), **shell(
        "ln -s /etc /x/app; echo planted; sleep 1000"))
    wait_until(lambda: (usb / "app").is_symlink(), "the link")
    default.device.remove(name)
    with mounted("-t", "tmpfs", "tmpfs", point=usb):
        (usb / "app").mkdir()
        code, text = status_of(default.device.start, image, unique(),
                               **bind((usb / "app", "/mnt")), cmd="idle")
        assert code is Code.PERMISSION_DENIED and "which another container had" in text
    attack("a link in a folder that a mount covers until the engine restarts the container",
           code.name)


def test_renamed_folder_is_the_same_folder(default, image, unique, shared_folder, attack):
    (shared_folder / "d/y").mkdir(parents=True)
    name = default.device.start(image, unique(), **bind((shared_folder / "d", "/x")), cmd="idle")
    (shared_folder / "d").rename(shared_folder / "e")
    (shared_folder / "d").mkdir()
    code = code_of(default.device.start, image, unique(),
                   **bind((shared_folder / "e/y", "/mnt")), cmd="idle")
    assert code is Code.PERMISSION_DENIED
    default.device.remove(name)
    attack("a folder within one that was renamed while a container has it", code.name)


def test_denied_folder_under_a_second_name_is_denied(
        default, image, unique, shared_folder, attack):
    for folder in "/etc", default.folder / "state":
        with mounted("--bind", folder, point=shared_folder / "alias") as alias:
            for path in alias, shared_folder:
                code, text = status_of(
                    default.device.start, image, unique(), cmd="idle", **bind((path, "/x")))
                assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text
    attack("/etc and cz-runtime's state where they are mounted a second time", code.name)


def test_image_content_does_not_follow_links_in_a_volume(
        default, attacker, unique, attack):
    """Docker copies what an image has at a volume's mount point into the volume, as root."""
    target = pathlib.Path("/etc/containerz-attacker.d")
    target.mkdir()
    big, volume = unique("image"), default.device.create_volume(unique("volume"))
    default.device.push(make_image.image_bytes(extra={
        "vol/a-big": (bytes(32 << 20), 0o644), "vol/zz/evil": (b"x", 0o644)}), big, "1")
    first, second = unique(), unique()
    try:
        default.device.start(attacker, first, **bind((volume, "/v")),
                             cmd=f"/holder race /v/a-big /v/zz {target}")
        wait_for_line(default, first, "waiting")
        code_of(default.device.start, f"{big}:1", second, **bind((volume, "/vol")), cmd="idle")
        assert list(target.iterdir()) == []
        for name in first, second:
            code_of(default.device.remove, name)
        # A volume that no other container has had still gets what the image has there.
        fresh = default.device.create_volume(unique("volume"))
        default.device.start(f"{big}:1", second, **bind((fresh, "/vol")), cmd="cat /vol/zz/evil")
        wait_for_line(default, second, "x")
    finally:
        for name in first, second:
            code_of(default.device.remove, name)
        default.device.remove_volume(volume)
        default.device.remove_volume(fresh)
        default.device.remove_image(f"{big}:1", force=True)
        target.rmdir()
    attack("a link in a volume to which the engine copies the content of an image",
           "nothing outside the volume")


def test_restart_of_the_daemon_stops_no_sound_container(
        guarded, tarball, unique, shared_folder):
    image = f"{unique('image')}:1"
    for name in "usb", "dir":
        (shared_folder / name).mkdir()
    (shared_folder / "conf").write_text("1")
    with mounted("-t", "tmpfs", "tmpfs", point=shared_folder / "usb") as usb:
        with guarded.running():
            guarded.device.push(tarball, image.removesuffix(":1"), "1")
            names = [guarded.device.start(image, unique(), cmd="idle", **bind((path, "/mnt")))
                     for path in (shared_folder / "conf", usb, shared_folder / "dir")]
        # As editors and administrators change files and folders in use.
        (shared_folder / "new").write_text("2")
        (shared_folder / "new").rename(shared_folder / "conf")
        (shared_folder / "dir").rename(shared_folder / "dir2")
        (shared_folder / "dir").symlink_to("dir2")
        subprocess.run(["umount", "--lazy", str(usb)], check=True)
        try:
            before = [guarded.engine.pid(name) for name in names]
            with guarded.running():
                # The watch looks at them before it answers a start.
                marker = guarded.device.start(
                    image, unique(), cmd="idle", **bind((shared_folder / "conf", "/mnt")))
                guarded.device.remove(marker)
                assert [guarded.engine.pid(name) for name in names] == before
                assert "redirected" not in guarded.runtime.text()
                for name in names:
                    guarded.device.remove(name)
                guarded.device.remove_image(image, force=True)
        finally:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(usb)], check=True)


def test_newer_policy_stops_no_running_container(guarded, tarball, unique, shared_folder):
    image = f"{unique('image')}:1"
    with guarded.running():
        guarded.device.push(tarball, image.removesuffix(":1"), "1")
        name = guarded.device.start(image, unique(), cmd="idle", **bind((shared_folder, "/mnt")))
    before = guarded.engine.pid(name)
    with guarded.running(hostPaths={"allow": ["/data", "/srv"], "deny": [str(shared_folder)]}):
        # The watch looks at what runs before it looks at this start.
        other = shared_folder.with_name(f"{shared_folder.name}-other")
        other.mkdir()
        try:
            guarded.device.remove(guarded.device.start(
                image, unique(), cmd="idle", **bind((other, "/mnt"))))
        finally:
            other.rmdir()
        assert guarded.engine.pid(name) == before
        assert "redirected" not in guarded.runtime.text()
        assert code_of(guarded.device.stop, name, restart=True) is Code.PERMISSION_DENIED
        guarded.device.remove(name)
        guarded.device.remove_image(image, force=True)


@pytest.mark.parametrize("target", [
    "/proc", "/proc/sys", "/sys", "/sys/firmware", "/dev", "/dev/pts", "/dev//x", "/.", "//"])
def test_mounts_of_the_kernel_stay(default, image, unique, shared_folder, attack, target):
    code = code_of(default.device.start, image, unique(), cmd="idle",
                   **bind((shared_folder, target)))
    assert code is Code.INVALID_ARGUMENT
    attack(f"a folder over {target}", code.name)


def test_no_device_node_is_left_in_a_shared_folder(
        default, image, unique, shared_folder, attack):
    code = code_of(default.device.start, image, unique(), cmd="idle", **bind((shared_folder, "/x")),
                   devices=[{"src_path": "/dev/zero", "dst_path": "/x/node"}])
    assert code is Code.INVALID_ARGUMENT and list(shared_folder.iterdir()) == []
    attack("a device at a path in a shared folder", code.name)


# --- 2: options of mounts ---


OPTIONS = [
    {"type": "none", "o": "bind,X-mount.subdir=../../../etc"},
    {"type": "none", "o": "bind,X-mount.subdir=../../../../etc"},
    {"type": "none", "o": "X-mount.subdir=../../../etc,rbind"},
    {"type": "none", "o": "bind,loop"}, {"type": "none", "o": "bind,helper=x"},
    {"type": "none", "o": "bind,rshared"}, {"type": "none", "o": "rbind,slave"},
    {"type": "none", "o": "bind,remount"}, {"type": "none", "o": "bind,suid,dev"},
    {"type": "none", "o": 'bind,"X-mount.subdir=../../../etc"'},
    {"type": "tmpfs", "o": "size=1m,X-mount.mkdir", "device": "tmpfs"},
    {"type": "tmpfs,ext4", "o": "size=1m", "device": "tmpfs"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["o"])
def test_mount_options_that_lead_elsewhere(
        default, image, unique, shared_folder, attack, options):
    options = {"device": str(shared_folder)} | options
    name = unique("volume")
    rule = default.refused("CreateVolume", spec={"name": name, "options": options})
    assert rule in ("mountOptions", "mountTypes")
    assert name not in default.device.volumes()
    # Nor one that exists already, made by any program.
    with contextlib.suppress(AssertionError):
        default.engine.create_volume(name, **options)
    if name in default.device.volumes():
        for foreign in False, True:
            default.set_policy(foreign=foreign)
            instance = unique()
            assert code_of(default.device.start, image, instance, cmd="idle",
                           **bind((name, "/mnt"))) is Code.PERMISSION_DENIED
            assert files_of_root_in(default, instance) == []
        default.engine.remove_volume(name)
    attack(f"a volume with {options['o']}", f"PERMISSION_DENIED by {rule}")


# --- 5: what every container gets ---


def test_container_has_no_more_than_the_policy_gives(default, image, unique, attack):
    name = default.device.start(image, unique(), cmd="idle")
    pid = default.engine.pid(name)
    assert status_field(pid, "NoNewPrivs") == "1"
    assert has_capability(pid, CHOWN)
    assert not has_capability(pid, NET_RAW) and not has_capability(pid, MKNOD)
    default.device.remove(name)
    for asked in {"cap": {"add": ["NET_RAW"]}}, {"cap": {"add": ["CAP_MKNOD"]}}:
        assert code_of(default.device.start, image, unique(), **asked) is Code.PERMISSION_DENIED
    # A policy may grant them, or have none at all.
    default.set_policy(defaultCapabilities=["NET_RAW"], newPrivileges={"allow": True})
    name = default.device.start(image, unique(), cmd="idle")
    pid = default.engine.pid(name)
    assert status_field(pid, "NoNewPrivs") == "0"
    assert has_capability(pid, NET_RAW) and not has_capability(pid, CHOWN)
    default.device.remove(name)
    attack("raw sockets, device nodes and new privileges", "not in the process's status")


def test_container_that_is_not_root_has_no_capabilities(default, image, unique, attack):
    name = default.device.start(image, unique(), run_as={"user": "1000"}, cmd="idle")
    pid = default.engine.pid(name)
    for field in "CapEff", "CapPrm", "CapInh", "CapAmb":
        assert int(status_field(pid, field), 16) == 0, field
    default.device.remove(name)
    attack("capabilities of a user that is not root", "none, not even ambient ones")


def test_removed_capabilities_are_gone(default, image, unique):
    for asked, kept in [({"remove": ["CHOWN"]}, False), ({"remove": ["ALL"]}, False),
                        ({"remove": ["ALL"], "add": ["CHOWN"]}, True)]:
        name = default.device.start(image, unique(), cap=asked, cmd="idle")
        assert has_capability(default.engine.pid(name), CHOWN) is kept
        default.device.remove(name)


def test_setuid_program_of_an_image_does_not_become_root(guarded, unique, tmp_path, attack):
    (tmp_path / "suid.c").write_text("""
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            setgid(0);
            setuid(0);
            printf("uid %d\\n", geteuid());
            fflush(stdout);
            pause();
        }""")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "suid", tmp_path / "suid.c"], check=True)
    archive = make_image.image_bytes(
        User="1000:1000", extra={"suid": ((tmp_path / "suid").read_bytes(), 0o4755)})
    image = unique("image")
    with guarded.running(users={"deny": ["root"]}):
        guarded.device.push(archive, image, "1")
        name = guarded.device.start(f"{image}:1", unique(), cmd="/suid")
        pid = guarded.engine.pid(name)
        wait_until(lambda: "uid" in "".join(
            message.msg for message in guarded.device.log(name)), "the program to run")
        uids = pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[:4]
        assert uids == ["1000"] * 4
        guarded.device.remove(name)
        guarded.device.remove_image(f"{image}:1")
    attack("a setuid program against users.deny root", f"uid {uids[1]}")


@pytest.mark.parametrize("asked, rule", [
    ({"network": "host"}, "networks"), ({"network": "container:x"}, "networks"),
    (bind(("/tmp/tmux-0", "/x")), "hostPaths"), (bind(("/var/tmp/x", "/x")), "hostPaths"),
    (bind(("/dev/shm", "/x")), "hostPaths.deny"),
    (bind(("/etc/containerz", "/x")), "hostPaths.deny"),
    (bind(("/run/containerz", "/x")), "hostPaths.deny"),
    (bind(("/proc/1/root", "/x")), "hostPaths.deny"),
    (bind(("/proc/self/fd", "/x")), "hostPaths.deny"),
], ids=str)
def test_device_is_not_given_away(default, image, unique, attack, asked, rule):
    code, text = status_of(default.device.start, image, unique(), cmd="idle", **asked)
    assert code is Code.PERMISSION_DENIED and f"rule {rule}" in text
    assert "to allow it" in text or "containerz" in text or rule == "hostPaths.deny"
    attack(json.dumps(asked), f"{code.name} by {rule}")


def test_own_state_is_reserved_whatever_the_policy_says(guarded, tarball, unique, attack):
    with guarded.running(hostPaths={"allow": ["/"], "deny": []}):
        image = unique("image")
        guarded.device.push(tarball, image, "1")
        for path in guarded.folder / "state", guarded.policy, guarded.folder, guarded.socket:
            code, text = status_of(
                guarded.device.start, f"{image}:1", unique(), cmd="idle", **bind((path, "/x")))
            assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text, path
        guarded.device.remove_image(f"{image}:1")
    attack("a bind of cz-runtime's own state, policy and socket", code.name)


def test_answers_do_not_tell_which_files_exist(default, image, unique, attack):
    def answers(there, missing, ask):
        return [status_of(ask, path)[0] for path in (there, missing)]
    for there, missing in (("/etc/shadow", "/dev/fd/../root/etc/nothing"),
                           ("/root", "/root/nothing")):
        pair = answers(there, missing, lambda path: default.device.start(
            image, unique(), cmd="idle", devices=[{"src_path": path}]))
        assert pair == [Code.PERMISSION_DENIED] * 2
    for there, missing in (("/etc/shadow", "/etc/nothing"), ("/root", "/root/nothing"),
                           ("/home", "/home/nothing")):
        pair = answers(there, missing, lambda path: default.device.start(
            image, unique(), cmd="idle", **bind((path, "/x"))))
        assert pair == [Code.PERMISSION_DENIED] * 2
        pair = answers(there, missing, lambda path: default.device.create_volume(
            unique("volume"), local_mount_options={
                "type": "TYPE_NONE", "options": ["bind"], "mountpoint": path}))
        assert pair == [Code.PERMISSION_DENIED] * 2
    attack("files of the device, asked for by path", "the same answer for all")


# --- 9: containers that pass for ours ---


def forged_labels(name):
    return {"org.containerz.spec": json.dumps(
        {"image": {"repository": "apps/evil", "tag": "1"}, "name": name})}


def test_image_cannot_bring_labels_of_ours(default, unique, attack):
    for label in ("org.containerz.spec", "org.containerz.replaces", "org.containerz.image",
                  "org.containerz.update.state"):
        image = unique("image")
        code, text = status_of(
            default.device.push, make_image.image_bytes(Labels={label: "{}"}), image, "1")
        assert code is Code.INVALID_ARGUMENT and label in text
        assert f"{image}:1" not in default.device.images()
    attack("an image with org.containerz.* labels", code.name)


def test_annotations_of_an_image_are_no_orders(default, unique, attack):
    """Podman hands them on to the runtime; Docker has no use for them."""
    if default.engine_name != "podman":
        pytest.skip("only Podman reads annotations")
    image = unique("image")
    default.engine.load(annotated(f"{image}:1", {
        "run.oci.handler": "krun", "org.systemd.property.SuccessAction": "'reboot-immediate'"}))
    code, text = status_of(default.device.start, f"{image}:1", unique(), cmd="idle")
    assert code is Code.INVALID_ARGUMENT and "annotation" in text
    default.device.remove_image(f"{image}:1")
    # The path of a push leaves them behind.
    default.device.push(annotated(f"{image}:1", {"run.oci.handler": "krun"}), image, "2")
    default.device.remove(default.device.start(f"{image}:2", unique(), cmd="idle"))
    default.device.remove_image(f"{image}:2")
    attack("an image with annotations for the runtime", code.name)


def annotated(name, annotations):
    """An oci-archive whose manifest has annotations."""
    archive = tarfile.open(fileobj=io.BytesIO(make_image.image_bytes([name], "oci")))
    files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    index = json.loads(files["index.json"])
    descriptor, = index["manifests"]
    manifest = json.loads(files.pop("blobs/" + descriptor["digest"].replace(":", "/")))
    data = json.dumps(manifest | {"annotations": annotations}).encode()
    descriptor |= {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}
    files["blobs/" + descriptor["digest"].replace(":", "/")] = data
    files["index.json"] = json.dumps(index).encode()
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for path, content in files.items():
            make_image.add(tar, path, content)
    return output.getvalue()


def test_foreign_container_of_a_forged_image_is_not_ours(default, unique, attack):
    image, name = unique("image"), unique("foreign")
    default.engine.load(make_image.image_bytes([f"{image}:1"], Labels=forged_labels(name)))
    default.engine.run(f"{image}:1", name)
    other = unique("foreign")
    default.engine.run(f"{image}:1", other)
    for victim in name, other:
        for action in (lambda: default.device.stop(victim), lambda: default.device.remove(victim),
                       lambda: default.device.update(victim, f"{image}:1")):
            assert code_of(action) is Code.PERMISSION_DENIED
        assert default.engine.pid(victim)
    # Nor does the image start through us.
    assert code_of(default.device.start, f"{image}:1", unique()) is not Code.OK
    # Removing the image would remove the proof.
    assert code_of(default.device.remove_image, f"{image}:1", force=True) is (
        Code.PERMISSION_DENIED)
    for victim in name, other:
        default.engine.remove(victim)
    default.set_policy(foreign=True)
    default.device.remove_image(f"{image}:1")
    attack("a foreign container whose image has our labels", "PERMISSION_DENIED, it runs on")
