"""Deploy: the protocol, and everything that can be wrong with a tarball."""

import concurrent.futures
import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile

import pytest

import make_image
from gnoi import DEADLINE, Code, Device, code_of, messages
from harness import wait_until
from make_image import add, base_layer, configuration, image_bytes

MIB = 1 << 20


def archive(entries):
    """A tarball of (name, bytes) pairs and of finished entries."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                add(tar, *entry)
    return output.getvalue()


def entry(name, **fields):
    """A tar entry without data."""
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def parts(tags=(), layer=None):
    """The three entries of a docker-archive: layer, configuration, manifest."""
    layer = layer or base_layer()
    config = configuration([layer])
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": list(tags), "Layers": ["layer.tar"]}]
    return ("layer.tar", layer), (config_name, config), ("manifest.json", encoded(manifest))


def encoded(value):
    return json.dumps(value).encode()


class Untouched:
    """What a failed deploy must leave as it was: images, descriptors, temporary files."""

    def __init__(self, device, stack):
        self.device = device
        self.stack = stack
        self.before = self.now()

    def now(self):
        return (self.device.images(), *map(self.descriptors, self.daemons()))

    def daemons(self):
        return self.stack.front, self.stack.runtime

    @staticmethod
    def descriptors(daemon):
        """All but sockets: a few idle connections are kept for the next call."""
        return sorted(target for target in daemon.descriptors() if "socket:" not in target)

    @staticmethod
    def sockets(daemon):
        return len([target for target in daemon.descriptors() if "socket:" in target])

    def check(self):
        wait_until(lambda: self.now() == self.before,
                   f"everything to be as it was: {self.before}, now {self.now()}")
        for daemon in self.daemons():
            assert daemon.process.poll() is None
            assert self.sockets(daemon) < 20


@pytest.fixture
def untouched(device, stack):
    it = Untouched(device, stack)
    yield it
    it.check()


def refused(device, data, name, tag="latest"):
    """Pushes what ought not to be accepted; the status."""
    return code_of(device.push, data, name, tag)


# --- The protocol ---


def test_each_content_message_gets_one_progress(device, tarball, unique):
    name = unique("image")
    with device.deploy() as deploy:
        deploy.transfer(name, "latest", len(tarball))
        assert 64 * 1024 <= deploy.ready() <= 3.5 * MIB
        sent = 0
        for piece in (tarball[:1], b"", tarball[1:100_000], b"", tarball[100_000:], b""):
            deploy.content(piece)
            sent += len(piece)
            assert deploy.progress() == sent
        deploy.end()
        assert deploy.success().image_size == len(tarball)
    device.remove_image(f"{name}:latest")


def test_a_message_of_nearly_4_mib_is_taken(device, unique):
    name = unique("image")
    device.push(image_bytes(mib=9), name, "latest", chunk_size=4 * MIB - 64)
    device.remove_image(f"{name}:latest")


def test_an_empty_tag_means_latest(device, tarball, unique):
    name = unique("image")
    assert device.push(tarball, name, "").tag == "latest"
    assert f"{name}:latest" in device.images()
    device.remove_image(f"{name}:latest")


def test_an_empty_name_takes_the_archives_own(device, unique):
    name = unique("image")
    success = device.push(image_bytes([f"{name}:7"]))
    assert (success.name, success.tag) == (name, "7")
    assert f"{name}:7" in device.images()
    device.remove_image(f"{name}:7")


def test_an_empty_name_is_refused_without_exactly_one_in_the_archive(
        device, untouched, unique, tarball):
    assert refused(device, tarball, "", "") is Code.INVALID_ARGUMENT
    two = image_bytes([f"{unique()}:1", f"{unique()}:2"])
    assert refused(device, two, "", "") is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
@pytest.mark.parametrize("format", ["docker", "oci"])
def test_compressed_archives_of_both_formats_load_and_run(device, unique, format, pack):
    name, instance = unique("image"), unique("instance")
    device.push(pack(image_bytes(format=format)), name, "latest")
    device.start(f"{name}:latest", instance)
    wait_until(lambda: "serving" in device.log_text(instance), "the container to run")
    device.remove(instance)
    device.remove_image(f"{name}:latest")


def test_a_name_with_a_registry_and_a_path_is_kept(device, tarball, unique):
    name = f"registry.example:5000/team/{unique('app')}"
    device.push(tarball, name, "v1.2_3-x")
    assert f"{name}:v1.2_3-x" in device.images()
    device.remove_image(f"{name}:v1.2_3-x")


def test_the_same_image_may_be_pushed_again(device, image, tarball):
    device.push(tarball, image.removesuffix(":latest"), "latest")
    assert device.images().count(image) == 1


def test_deploys_at_once_are_independent(device, unique, untouched):
    names = [unique("image") for _ in range(6)]
    good = image_bytes(mib=2)
    bad = good[:-MIB]

    def push(number):
        return code_of(device.push, bad if number % 3 == 2 else good, names[number], "latest")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(push, range(6)))
    for name, code in zip(names, codes):
        if names.index(name) % 3 == 2:
            assert code is Code.INVALID_ARGUMENT
            assert f"{name}:latest" not in device.images()
        else:
            assert code is Code.OK
            device.remove_image(f"{name}:latest")


# --- Out of order, or out of size ---


def test_content_first_is_refused(device, untouched):
    with device.deploy() as deploy:
        deploy.content(b"x")
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_the_end_first_is_refused(device, untouched):
    with device.deploy() as deploy:
        deploy.end()
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_an_empty_request_is_refused(device, untouched):
    with device.deploy() as deploy:
        deploy.send()
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_no_request_at_all_is_refused(device, untouched):
    with device.deploy() as deploy:
        deploy.close()
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_a_second_transfer_is_refused(device, untouched, unique):
    with device.deploy() as deploy:
        deploy.transfer(unique(), "latest", 1000)
        deploy.transfer(unique(), "latest", 1000)
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_no_size_is_refused(device, untouched, unique):
    with device.deploy() as deploy:
        deploy.transfer(unique(), "latest", 0)
        assert deploy.status() is Code.INVALID_ARGUMENT


def test_more_data_than_announced_is_refused(device, untouched, unique, tarball):
    assert code_of(device.push, tarball, unique(), "latest",
                   size=len(tarball) - 1) is Code.INVALID_ARGUMENT


def test_less_data_than_announced_is_refused(device, untouched, unique, tarball):
    assert code_of(device.push, tarball, unique(), "latest",
                   size=len(tarball) + 1) is Code.INVALID_ARGUMENT


def test_a_stream_that_ends_without_its_end_message_is_refused(
        device, untouched, unique, tarball):
    with device.deploy() as deploy:
        deploy.transfer(unique(), "latest", len(tarball))
        deploy.ready()
        for start in range(0, len(tarball), MIB):
            deploy.content(tarball[start:start + MIB])
        deploy.close()
        assert deploy.status() in (Code.INVALID_ARGUMENT, Code.UNKNOWN)


@pytest.mark.parametrize("size", [1 << 45, (1 << 64) - 1])
def test_a_size_beyond_the_disk_is_refused_before_any_data(device, untouched, unique, size):
    with device.deploy() as deploy:
        deploy.transfer(unique(), "latest", size)
        assert deploy.status() is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("name, tag", [
    ("Upper/Case", "latest"), ("a b", "latest"), ("a//b", "latest"), ("../etc", "latest"),
    ("/abs", "latest"), ("a", "b c"), ("a", "t" * 129), ("a" * 10_000, "latest"),
    ("a\x00b", "latest"), ("a\nb", "latest"), ("a", ".dot"), ("-a", "latest"),
    ("a@sha256:" + "0" * 64, "latest"), ("ü", "latest"),
])
def test_a_bad_reference_is_refused_before_any_data(device, untouched, name, tag):
    with device.deploy() as deploy:
        deploy.transfer(name, tag, 1000)
        assert deploy.status() is Code.INVALID_ARGUMENT


# --- Bad tarballs ---


def test_random_bytes_are_refused(device, untouched, unique):
    assert refused(device, os.urandom(MIB), unique()) is Code.INVALID_ARGUMENT


def test_zeros_are_refused(device, untouched, unique):
    assert refused(device, bytes(MIB), unique()) is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_truncated_archive_is_refused(device, untouched, unique, keep, pack):
    data = pack(image_bytes())
    assert refused(device, data[:int(len(data) * keep)], unique()) is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("format", ["docker", "oci"])
def test_a_corrupted_layer_is_refused(device, untouched, unique, format):
    data = bytearray(image_bytes(format=format))
    data[data.find(b"trap 'echo stopping") + 3] ^= 1
    assert refused(device, bytes(data), unique()) is Code.INVALID_ARGUMENT


def test_a_corrupted_oci_manifest_is_refused(device, untouched, unique):
    data = image_bytes(format="oci").replace(b'"schemaVersion": 2, "mediaType"',
                                             b'"schemaVersion": 3, "mediaType"')
    assert refused(device, data, unique()) is Code.INVALID_ARGUMENT


def test_a_layer_that_is_missing_is_refused(device, untouched, unique):
    _, config, manifest = parts()
    assert refused(device, archive([config, manifest]), unique()) is Code.INVALID_ARGUMENT


def test_a_configuration_that_is_missing_is_refused(device, untouched, unique):
    layer, _, manifest = parts()
    assert refused(device, archive([layer, manifest]), unique()) is Code.INVALID_ARGUMENT


def test_a_manifest_that_is_missing_is_refused(device, untouched, unique):
    layer, config, _ = parts()
    assert refused(device, archive([layer, config]), unique()) is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("manifest", [
    b"", b"{}", b"[]", b"[1]", b"nonsense", b"[{}]", b"\xff\xfe", b"[" * 100_000,
    b'[{"Config": "", "Layers": []}]', b'[{"Config": "../x.json", "Layers": ["layer.tar"]}]',
    b'[{"Config": 1, "Layers": "x"}]',
])
def test_a_manifest_that_makes_no_sense_is_refused(device, untouched, unique, manifest):
    layer, config, _ = parts()
    data = archive([layer, config, ("manifest.json", manifest)])
    assert refused(device, data, unique()) is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("bad", [
    entry("../escape"), entry("/etc/absolute"), entry("a/../../b"),
    entry("manifest.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    entry("other.json", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
    entry("device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    entry("pipe", type=tarfile.FIFOTYPE),
], ids=["dots", "absolute", "inner dots", "symlink", "hard link", "device", "pipe"])
def test_an_entry_that_no_image_has_is_refused(device, untouched, unique, bad):
    assert refused(device, archive([bad, *parts()]), unique()) is Code.INVALID_ARGUMENT


def test_two_images_in_one_archive_are_refused(device, untouched, unique):
    output = io.BytesIO()
    images = []
    for text in ("one\n", "two\n"):
        layer = base_layer(text)
        images.append((configuration([layer]), [layer], [f"{unique()}:latest"]))
    make_image.write_docker_archive(output, images)
    assert refused(device, output.getvalue(), unique()) is Code.INVALID_ARGUMENT


def test_a_tag_in_the_archive_does_not_move(device, image, unique):
    """A tarball must not take over another application's name."""
    def identity():
        return [i.id for i in device.stub.ListImage(messages.ListImageRequest(), timeout=DEADLINE)
                if f"{i.image_name}:{i.tag}" == image]

    before = identity()
    name = unique("other")
    device.push(image_bytes([image], text="a different page\n"), name, "latest")
    try:
        assert identity() == before
        assert f"{name}:latest" in device.images()
    finally:
        device.remove_image(f"{name}:latest")


def test_a_bomb_of_ten_gigabytes_of_zeros_costs_neither_disk_nor_memory(
        device, stack, untouched, unique):
    # One member of zeros, many times over: gzip reads them as one stream.
    start = entry("layer.tar", size=10 << 30).tobuf(tarfile.GNU_FORMAT)
    zeros = gzip.compress(bytes(64 * MIB))
    data = gzip.compress(start) + zeros * 160
    used = stack.front.status("VmHWM")
    assert refused(device, data, unique()) in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED)
    assert stack.front.status("VmHWM") - used < 16 * MIB


# --- Clients that go away ---


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 1])
def test_a_client_gone_at_any_point_leaves_nothing(device, untouched, unique, share):
    data = image_bytes(mib=8)
    with device.deploy() as deploy:
        deploy.transfer(unique(), "latest", len(data))
        chunk_size = deploy.ready()
        for start in range(0, int(len(data) * share), chunk_size):
            deploy.content(data[start:min(start + chunk_size, int(len(data) * share))])
            deploy.progress()
        deploy.call.cancel()


def test_a_client_whose_connection_breaks_leaves_nothing(device, stack, untouched, unique):
    data = image_bytes(mib=8)
    channel = stack.channel(options=[("grpc.use_local_subchannel_pool", 1)])
    deploy = Device(channel).deploy()
    deploy.transfer(unique(), "latest", len(data))
    deploy.ready()
    deploy.content(data[:MIB])
    deploy.progress()
    channel.close()
    deploy.close()


def test_a_deadline_in_the_middle_leaves_nothing(device, untouched, unique):
    data = image_bytes(mib=4)
    with device.deploy(timeout=1) as deploy:
        deploy.transfer(unique(), "latest", len(data))
        deploy.ready()
        deploy.content(data[:MIB])
        assert deploy.status() is Code.DEADLINE_EXCEEDED


def test_memory_stays_flat_whatever_the_size(device, stack, unique):
    name = unique("image")
    device.push(image_bytes(mib=8), name, "latest")
    before = stack.front.status("VmHWM"), stack.runtime.status("VmHWM")
    device.push(image_bytes(mib=128), name, "latest")
    after = stack.front.status("VmHWM"), stack.runtime.status("VmHWM")
    assert after[0] - before[0] < 8 * MIB
    assert after[1] - before[1] < 8 * MIB
    device.remove_image(f"{name}:latest")
