"""The device's policy, asked through containerzd and past it, on Docker and on Podman."""

import json
import os
import signal
import subprocess

import pytest

import make_image
from gnoi import Code, code_of, status_of
from harness import PROGRAMS, named, wait_until


@pytest.fixture
def image(default, tarball, unique):
    yield from pushed(default.device, tarball, unique("image"))


def pushed(device, tarball, name):
    device.push(tarball, name, "1")
    yield f"{name}:1"
    for container in device.containers().values():
        if container.image_name == f"{name}:1":
            code_of(device.remove, container.name)
    code_of(device.remove_image, f"{name}:1", force=True)


def bind(path):
    return {"volumes": [{"name": str(path), "mount_point": "/x"}]}


# What a client asks for, the same on cz-runtime's own wire, and the rule that refuses it.
REFUSED = [
    (bind("/"), {"volumes": [{"name": "/", "mountPoint": "/x"}]}, "hostPaths.deny"),
    (bind("/etc"), {"volumes": [{"name": "/etc", "mountPoint": "/x"}]}, "hostPaths.deny"),
    (bind("/srv/../etc"), {"volumes": [{"name": "/srv/../etc", "mountPoint": "/x"}]},
     "hostPaths.deny"),
    (bind("/var/run"), {"volumes": [{"name": "/var/run", "mountPoint": "/x"}]},
     "hostPaths.deny"),
    (bind("/home"), {"volumes": [{"name": "/home", "mountPoint": "/x"}]}, "hostPaths"),
    ({"cap": {"add": ["SYS_ADMIN"]}}, {"capabilities": {"add": ["SYS_ADMIN"]}}, "capabilities"),
    ({"cap": {"add": ["cap_sys_module"]}}, {"capabilities": {"add": ["cap_sys_module"]}},
     "capabilities"),
    ({"cap": {"add": ["SYS_PTRACE"]}}, {"capabilities": {"add": ["SYS_PTRACE"]}}, "capabilities"),
    ({"cap": {"add": ["ALL"]}}, {"capabilities": {"add": ["ALL"]}}, "capabilities"),
    ({"devices": [{"src_path": "/dev/kmsg"}]}, {"devices": [{"source": "/dev/kmsg"}]}, "devices"),
    ({"devices": [{"src_path": "/dev"}]}, {"devices": [{"source": "/dev"}]}, "devices"),
]


@pytest.mark.parametrize("asked, spec, rule", REFUSED, ids=lambda value: json.dumps(value)[:40])
def test_what_gives_the_device_away_does_not_start(default, image, unique, asked, spec, rule):
    before = sorted(default.device.containers())
    code, text = status_of(default.device.start, image, unique(), **asked)
    assert code is Code.PERMISSION_DENIED and f"rule {rule})" in text
    # Nor for whoever took containerzd over.
    assert default.refused(
        "StartContainer", spec={"image": named(image), "name": unique()} | spec) == rule
    assert sorted(default.device.containers()) == before


def test_the_engine_s_socket_is_never_bound(guarded, tarball, unique):
    with guarded.running(hostPaths={"allow": ["/"], "deny": []}):
        for image in pushed(guarded.device, tarball, unique("image")):
            for path in guarded.engine.socket, os.path.dirname(guarded.engine.socket), "/":
                code, text = status_of(guarded.device.start, image, unique(), **bind(path))
                assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text
            # The rest of the device may be bound now.
            name = guarded.device.start(image, unique(), **bind("/etc/ssl"))
            guarded.device.remove(name)


def test_a_link_is_where_it_leads(default, image, unique, shared_folder):
    tmp_path = shared_folder
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "root").symlink_to("/")
    for path in tmp_path / "link", tmp_path / "root", tmp_path / "root/etc/ssl":
        code, text = status_of(default.device.start, image, unique(), **bind(path))
        assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text
    (tmp_path / "null").symlink_to("/dev/kmsg")
    assert code_of(default.device.start, image, unique(),
                   devices=[{"src_path": str(tmp_path / "null")}]) is Code.PERMISSION_DENIED


def test_an_ordinary_application_runs(default, image, unique, shared_folder):
    volume = default.device.create_volume(unique("volume"))
    name = default.device.start(
        image, unique(), cap={"add": ["NET_BIND_SERVICE", "CHOWN"]},
        volumes=[{"name": volume, "mount_point": "/data"},
                 {"name": str(shared_folder), "mount_point": "/shared"}],
        devices=[{"src_path": "/dev/null"}], run_as={"user": "0"},
        limits={"hard_mem_bytes": 64 << 20})
    assert default.device.state(name) == "RUNNING"
    default.device.remove(name)
    default.device.remove_volume(volume)


# --- Volumes ---


@pytest.mark.parametrize("options, rule", [
    ({"type": "none", "o": "bind", "device": "/etc"}, "hostPaths.deny"),
    ({"type": "none", "o": "rbind", "device": "/"}, "hostPaths.deny"),
    ({"type": "proc", "device": "proc"}, "mountTypes"),
    ({"type": "overlay", "device": "overlay", "o": "lowerdir=/etc:/root"}, "mountTypes"),
    ({"type": "ext4", "device": "/dev/sda1"}, "mountTypes"),
    ({"type": "tmpfs", "device": "/dev/sda1"}, "devices"),
], ids=str)
def test_volumes_that_give_the_device_away_are_not_made(default, unique, options, rule):
    name = unique("volume")
    assert default.refused("CreateVolume", spec={"name": name, "options": options}) == rule
    assert name not in default.device.volumes()


def test_a_volume_made_behind_our_back_is_not_mounted(default, image, unique):
    name = unique("volume")
    default.engine.create_volume(name, type="none", o="bind", device="/etc")
    mounted = {"volumes": [{"name": name, "mount_point": "/x"}]}
    code, text = status_of(default.device.start, image, unique(), **mounted)
    assert code is Code.PERMISSION_DENIED and "ownership" in text
    # Nor where it may be touched: it is looked at as if it were to be made.
    default.set_policy(foreign=True)
    code, text = status_of(default.device.start, image, unique(), **mounted)
    assert code is Code.PERMISSION_DENIED and "hostPaths.deny" in text
    default.device.remove_volume(name)


def test_volumes_of_others_stay(default, unique):
    name, own = unique("volume"), default.device.create_volume(unique("volume"))
    default.engine.create_volume(name)
    assert name in default.device.volumes()
    code, text = status_of(default.device.remove_volume, name)
    assert code is Code.PERMISSION_DENIED and "ownership" in text
    assert name in default.device.volumes()
    # Ours is told by a label that nobody sees, and that nobody else can set.
    assert "org.containerz.volume" in default.engine.volume_labels(own)
    assert dict(default.device.volumes()[own].labels) == {}
    assert code_of(default.device.create_volume, unique("volume"),
                   labels={"org.containerz.volume": ""}) is Code.INVALID_ARGUMENT
    default.device.remove_volume(own)
    default.set_policy(foreign=True)
    default.device.remove_volume(name)
    assert name not in default.device.volumes()


# --- Containers of others ---


def test_containers_of_others_are_listed_and_left_alone(default, image, unique):
    name = unique("foreign")
    default.engine.run(image, name)
    device = default.device
    assert device.state(name) == "RUNNING"
    for action in (lambda: device.stop(name), lambda: device.stop(name, restart=True),
                   lambda: device.remove(name), lambda: device.update(name, image),
                   lambda: device.update(name, image, environment={"A": "b"})):
        code, text = status_of(action)
        assert code is Code.PERMISSION_DENIED and "ownership" in text
    for method in "StopContainer", "RemoveContainer":
        assert default.refused(method, name=name, force=True) == "ownership"
    assert device.state(name) == "RUNNING"
    default.set_policy(foreign=True)
    device.stop(name, force=True)
    default.set_policy()
    assert code_of(device.start, "", name) is Code.PERMISSION_DENIED
    default.set_policy(foreign=True)
    device.remove(name)
    assert name not in device.containers()


def test_nobody_makes_a_container_ours_with_a_label(default, image, unique):
    for label in "org.containerz.spec", "org.containerz.replaces", "org.containerz.image":
        assert code_of(default.device.start, image, unique(), labels={label: "x"}) is (
            Code.INVALID_ARGUMENT)


# --- Starting again, and updates ---


def test_a_stopped_container_is_measured_by_the_policy_of_the_day(
        default, image, unique, shared_folder):
    name = default.device.start(image, unique(), **bind(shared_folder))
    default.set_policy(hostPaths={"allow": ["/data"]})
    # What runs goes on, and can be stopped; a restart that would not be allowed stops nothing.
    code, text = status_of(default.device.stop, name, restart=True)
    assert code is Code.PERMISSION_DENIED and "hostPaths" in text
    assert default.device.state(name) == "RUNNING"
    default.device.stop(name, force=True)
    assert code_of(default.device.start, "", name) is Code.PERMISSION_DENIED
    assert default.refused("StartContainer", spec={"name": name}) == "hostPaths"
    assert default.device.state(name) == "STOPPED"
    default.set_policy()
    default.device.start("", name)
    assert default.device.state(name) == "RUNNING"
    default.device.remove(name)


def test_an_update_is_measured_as_a_whole(default, image, unique, shared_folder, tmp_path):
    name = default.device.start(image, unique(), **bind(shared_folder))
    before = default.device.containers()[name].id
    code, text = status_of(default.device.update, name, image, cap={"add": ["SYS_ADMIN"]})
    assert code is Code.PERMISSION_DENIED and "capabilities" in text
    assert default.refused("UpdateContainer", name=name, image=named(image),
                           settings={"capabilities": {"add": ["ALL"]}}) == "capabilities"
    # What it keeps from the old one counts as well.
    other = tmp_path / "other"
    other.mkdir()
    default.set_policy(hostPaths={"allow": [str(other)]})
    assert code_of(default.device.update, name, image) is Code.PERMISSION_DENIED
    # Going back does not.
    assert code_of(default.device.update, name, image, volumes=[
        {"name": str(other), "mount_point": "/x"}],
        cmd="sh -c 'exit 3'") is Code.INTERNAL
    wait_until(lambda: default.device.state(name) == "RUNNING", "the old one")
    assert default.device.containers()[name].id == before
    default.set_policy()
    default.device.update(name, image)
    assert default.device.containers()[name].id != before
    default.device.remove(name)


# --- Images ---


def test_images_by_name(guarded, tarball, unique, tmp_path):
    good, bad = unique("good"), unique("bad")
    with guarded.running(images={"allow": [f"{good}:*"], "deny": [f"{good}:latest"]}):
        device = guarded.device
        for name, tag in (bad, "1"), (good, "latest"):
            code, text = status_of(device.push, tarball, name, tag)
            assert code is Code.PERMISSION_DENIED and "images" in text
        archive = tmp_path / "image.tar"
        archive.write_bytes(tarball)
        assert guarded.refused("LoadImage", archive, archive=0, image=named(f"{bad}:1")) == "images"
        for image in pushed(device, tarball, good):
            # A second name does not make it another image, nor the other way round.
            assert guarded.refused(
                "TagImage", image=named(image), **{"as": named(f"{bad}:1")}) == "images"
            name = device.start(image, unique())
            guarded.set_policy(images={"deny": [good]})
            code, text = status_of(device.start, image, unique())
            assert code is Code.PERMISSION_DENIED and "images.deny" in text
            assert code_of(device.update, name, image) is Code.PERMISSION_DENIED
            assert guarded.refused(
                "TagImage", image=named(image), **{"as": named(f"{bad}:1")}) == "images.deny"
            device.remove(name)
            # What the policy does not cover is listed, and stays.
            assert image in device.images()
            assert code_of(device.remove_image, image) is Code.PERMISSION_DENIED
            assert image in device.images()
            guarded.set_policy()


def test_an_archive_cannot_bring_a_name_of_its_own(guarded, unique, tmp_path):
    """Without a name in the call, whoever owns containerzd chooses it in the archive."""
    good, bad = unique("good"), unique("bad")
    with guarded.running(images={"allow": [good]}):
        archive = tmp_path / "image.tar"
        archive.write_bytes(make_image.image_bytes([f"{bad}:1"]))
        assert guarded.refused("LoadImage", archive, archive=0) == "images"
        assert f"{bad}:1" not in guarded.device.images()
        guarded.refused("LoadImage", archive, archive=0)
        error, _ = guarded.call("LoadImage", archive, archive=0, image=named(f"{good}:1"))
        assert error in ("PermissionDenied", "LoadFailed")
        assert f"{bad}:1" not in guarded.device.images()


def test_images_by_what_they_are(guarded, unique):
    name, one, two = unique("image"), *(
        make_image.image_bytes(text=f"{unique()}\n") for _ in range(2))
    with guarded.running():
        device = guarded.device
        for _ in pushed(device, one, name):
            allowed = guarded.engine.image_id(f"{name}:1")
            guarded.set_policy(images={"allow": [f"sha256:{allowed}"]})
            device.push(one, name, "2")
            device.remove(device.start(f"{name}:2", unique()))
            # The same name is another image now; what it is shows only once it is there.
            code, text = status_of(device.push, two, name, "2")
            assert code is Code.PERMISSION_DENIED and "images" in text
            assert f"{name}:2" not in device.images()
            guarded.set_policy(images={"deny": [f"sha256:{allowed}"]})
            code, text = status_of(device.start, f"{name}:1", unique())
            assert code is Code.PERMISSION_DENIED and "images.deny" in text
            guarded.set_policy()


# --- Users, networks, ports, limits, plugins ---


def test_nobody_runs_as_root(guarded, unique):
    with guarded.running(users={"deny": ["root"]}):
        device, root, user = guarded.device, unique("root"), unique("user")
        device.push(make_image.image_bytes(), root, "1")
        device.push(make_image.image_bytes(User="1000:1000"), user, "1")
        for fields in {}, {"run_as": {"user": "00"}}, {"run_as": {"user": "root"}}, {
                "run_as": {"group": "5"}}, {"run_as": {"user": "guest"}}:
            code, text = status_of(device.start, f"{root}:1", unique(), **fields)
            assert code is Code.PERMISSION_DENIED and "users.deny" in text
        device.remove(device.start(f"{root}:1", unique(), run_as={"user": "1000"}))
        device.remove(device.start(f"{user}:1", unique()))
        assert code_of(device.start, f"{user}:1", unique(), run_as={"user": "0"}) is (
            Code.PERMISSION_DENIED)
        for name in root, user:
            device.remove_image(f"{name}:1")


def test_networks_ports_and_limits(guarded, tarball, unique):
    with guarded.running(networks=["bridge"], ports=["20000-29999"],
                         limits={"memory": 64 << 20, "cpus": 0.5}):
        within = {"limits": {"hard_mem_bytes": 64 << 20, "max_cpu": 0.5}}
        for image in pushed(guarded.device, tarball, unique("image")):
            for fields, rule in [
                    (within | {"network": "host"}, "networks"),
                    (within | {"network": "none"}, "networks"),
                    (within | {"ports": [{"internal": 80, "external": 8080}]}, "ports"),
                    ({}, "limits"), ({"limits": {"hard_mem_bytes": 64 << 20}}, "limits"),
                    ({"limits": {"hard_mem_bytes": 65 << 20, "max_cpu": 0.1}}, "limits")]:
                code, text = status_of(guarded.device.start, image, unique(), **fields)
                assert code is Code.PERMISSION_DENIED and f"rule {rule})" in text
            guarded.device.remove(guarded.device.start(image, unique(), **within))


def test_no_plugins_unless_the_policy_says_so(default, unique, tmp_path):
    if default.engine_name != "docker":
        pytest.skip("Podman has no plugins")
    (tmp_path / "plugin.tar").write_bytes(b"")
    for arguments in (tmp_path / "plugin.tar", {"archive": 0}), (None, {}):
        assert default.refused(
            "StartPlugin", arguments[0], name=unique(), **arguments[1]) == "plugins"


# --- The file ---


def test_a_policy_that_is_no_good_changes_nothing(default, image, unique):
    for text in "{", '{"hostPath": {}}', '{"images": {"allow": "none"}}':
        default.replace_policy(text, outcome="the old one stays in force")
    assert "hostPath is not known" in default.runtime.text()
    default.policy.unlink()
    wait_until(lambda: "No such file" in default.runtime.text(), "the loss to be noticed")
    assert code_of(default.device.start, image, unique(), **bind("/etc")) is Code.PERMISSION_DENIED
    default.device.remove(default.device.start(image, unique()))


def test_a_policy_in_the_wrong_hands_is_not_read(default):
    os.chmod(default.policy, 0o666)
    default.runtime.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "chmod o-w" in default.runtime.text(), "the file to be refused")


@pytest.mark.parametrize("text, said", [
    (None, "No such file"), ("[]", "not a JSON object"), ('{"a": 1}', "a is not known")])
def test_a_policy_that_was_asked_for_has_to_be_good(tmp_path, text, said):
    if text is not None:
        (tmp_path / "policy.json").write_text(text)
    for arguments in (["policy", "check"], ["--socket", tmp_path / "socket"]):
        done = subprocess.run(
            [PROGRAMS / "cz-runtime", *arguments, "--policy", tmp_path / "policy.json"],
            capture_output=True, timeout=30)
        assert done.returncode == 1 and said in done.stderr.decode()


def policy_command(*arguments, **options):
    return subprocess.run([PROGRAMS / "cz-runtime", "policy", *map(str, arguments)],
                          capture_output=True, timeout=30, text=True, **options)


def test_policy_show_is_a_policy(tmp_path):
    shown = policy_command("show")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["plugins"] == {"allow": False}
    (tmp_path / "policy.json").write_text(shown.stdout)
    checked = policy_command("check", "--policy", tmp_path / "policy.json")
    assert checked.returncode == 0 and "not allowed" in checked.stdout


def test_policy_check_explains(tmp_path):
    (tmp_path / "policy.json").write_text('{"networks": ["bridge"]}')
    (tmp_path / "spec.json").write_text('{"network": "host"}')
    refused = policy_command(
        "check", "--policy", tmp_path / "policy.json", tmp_path / "spec.json")
    assert refused.returncode == 77 and "rule networks" in refused.stderr
    allowed = policy_command("check", "--policy", tmp_path / "policy.json", "-",
                             input='{"network": "bridge"}')
    assert (allowed.returncode, allowed.stdout) == (0, "allowed\n")
    malformed = policy_command("check", "--policy", tmp_path / "policy.json", "-", input="[]")
    assert malformed.returncode == 64


@pytest.mark.parametrize("text, said", [
    ('{"netwrk": "host"}', "netwrk is not known"),
    ('{"volumes": [{"name": "/srv", "mountpoint": "/x"}]}', "volumes[0].mountpoint is not known"),
    ('{"capabilities": {"added": ["ALL"]}}', "capabilities.added is not known"),
    ('{"image": {"name": "x"}}', "image.name is not known"),
    ('{"network": "none", "network": "host"}', "a key is there twice"),
    ('{"ports": [{"internal": 1}]}', "ports[0] has no external"),
    ('{"network": 7}', "network has a value of the wrong type")])
def test_policy_check_rejects_unknown_fields(text, said):
    done = policy_command("check", "-", input=text)
    assert done.returncode == 64 and said in done.stderr, done.stderr


def test_a_bind_cannot_be_made_another_by_its_text(default, image, unique, tmp_path):
    """Podman makes one text of a mount and reads it again."""
    for name, point in ((tmp_path, "/h,source=/"), (f"{tmp_path},source=/", "/h"),
                        (tmp_path, '/h"'), (tmp_path, "/h\n")):
        error, fields = default.call("StartContainer", spec={
            "image": named(image), "volumes": [{"name": str(name), "mountPoint": point}]})
        assert error == "InvalidArgument" and fields["field"] == "volumes", (error, fields)
    error, fields = default.call("StartContainer", spec={
        "image": named(image), "labels": {"org.containerz.spec={}": "x"}})
    assert error == "InvalidArgument" and fields["field"] == "labels", (error, fields)


def test_folders_one_in_the_other(default, image, unique, shared_folder):
    """What one container has, another does not have a part of."""
    tmp_path = shared_folder
    inner = tmp_path / "inner"
    inner.mkdir()
    device = default.device
    first, second = unique(), unique()
    for has, wants in (tmp_path, inner), (inner, tmp_path):
        device.start(image, first, **bind(has))
        code, text = status_of(device.start, image, second, **bind(wants))
        assert code is Code.PERMISSION_DENIED and "lies within" in text
        # The same folder is theirs together.
        device.start(image, second, **bind(has))
        device.remove(second)
        # The old container of an update runs until it is replaced.
        code, text = status_of(device.update, first, image, **bind(wants))
        assert code is Code.PERMISSION_DENIED and "lies within" in text
        device.update(first, image, **bind(has))
        device.remove(first)
        device.remove(device.start(image, second, **bind(wants)))


def test_a_container_has_no_other_name(default, image, unique):
    """Its id would pass by what is noted of its name."""
    name = device_name = unique()
    default.device.start(image, name)
    identifier = default.device.containers()[device_name].id
    for method in "StopContainer", "RemoveContainer":
        assert default.call(method, name=identifier)[0] == "ContainerNotFound"
    assert default.device.state(name) == "RUNNING"
