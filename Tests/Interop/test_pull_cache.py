"""cz-pull's cache: only new layers are fetched, whoever else is at it and whatever was killed."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

import make_image
from conftest import running_stack
from gnoi import Code, Device
from harness import PROGRAMS, wait_until
from puller import FAILED, fails, pull, remote
from registry import Front, Registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag, text in ("1", "one\n"), ("2", "two\n"):
            with open(folder / f"{tag}.tar", "wb") as file:
                make_image.make_image(file, ["web:1"], mib=4, text=text)
            registry.push(f"docker-archive:{folder}/{tag}.tar", f"apps/web:{tag}")
        yield registry


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def blobs_in(cache):
    return set(os.listdir(cache / "blobs/sha256"))


def blobs_of(front):
    return [path.rpartition(":")[2] for path, _ in front.requests if "/blobs/" in path]


def test_only_new_layers_are_fetched(registry, cache):
    with Front(registry) as front:
        source = f"{front.address}/apps/web"
        first = pull("--plain-http", "--cache", cache, "-o", "-", f"{source}:1")
        assert first == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        assert blobs_in(cache) == set(blobs_of(front)) and len(blobs_in(cache)) == 3
        front.requests.clear()
        events = [json.loads(line) for line in pull(
            "--plain-http", "--cache", cache, "--json", "-o", cache / "2.tar",
            f"{source}:2").splitlines()]
        # The configuration and one of the two layers are new.
        fetched = blobs_of(front)
        assert len(fetched) == 2
        (kept,) = [event for event in events if event["event"] == "cached"]
        assert kept["layer"].removeprefix("sha256:") not in fetched and kept["size"] > 4 << 20
        assert events[-1]["fetched"] < 2 << 20
        front.requests.clear()
        front.heads.clear()
        again = pull("--plain-http", "--cache", cache, "-o", "-", f"{source}:1")
        assert again == first and blobs_of(front) == []
        # The registry was asked whether this pull may read them.
        assert {path.rpartition(":")[2] for path, _ in front.heads} <= blobs_in(cache)
        assert len(front.heads) == 3
    assert os.listdir(cache / "partial") == []


def test_damage_is_found_and_removed(registry, cache):
    source = ("--plain-http", "--cache", cache, "-o", "-", f"{registry.address}/apps/web:1")
    whole = pull(*source)
    damaged = max((cache / "blobs/sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    assert "it was removed" in fails(*source, code=FAILED)
    assert not damaged.exists()
    assert pull(*source) == whole
    # One that is too short is not even begun with.
    damaged.write_bytes(content[:-1])
    assert pull(*source) == whole


def slow(chunk, pause):
    """Layers come in drops."""
    def trouble(handler, count):
        if not handler.is_blob:
            return False
        answer, body = handler.whole()
        handler.send_response(answer.status)
        for key in "Content-Length", "Content-Range":
            if answer.getheader(key):
                handler.send_header(key, answer.getheader(key))
        handler.end_headers()
        for start in range(0, len(body), chunk):
            handler.wfile.write(body[start:start + chunk])
            if len(body) > chunk:
                time.sleep(pause)
        return True
    return trouble


def start(cache, output, address):
    return subprocess.Popen(
        [PROGRAMS / "cz-pull", "--plain-http", "--cache", cache, "-o", output,
         f"{address}/apps/web:1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def partial_bytes(cache):
    folder = cache / "partial"
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.exists() else 0


def test_what_a_killed_one_had_is_not_fetched_again(registry, cache, tmp_path):
    with Front(registry, slow(1 << 18, 0.1)) as front:
        process = start(cache, tmp_path / "x.tar", front.address)
        wait_until(lambda: partial_bytes(cache) > 1 << 20, "some of it to arrive")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert os.listdir(cache / "partial")
    # At the same address, since what one registry has sent is not for another.
    with Front(registry, port=front.port) as front:
        tarball = pull("--plain-http", "--cache", cache, "-o", "-", f"{front.address}/apps/web:1")
        assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        ranges = [headers["Range"] for _, headers in front.requests if "Range" in headers]
        assert sum(int(range.removeprefix("bytes=").rstrip("-")) for range in ranges) >= 1 << 20
    assert os.listdir(cache / "partial") == [] and len(blobs_in(cache)) == 3


def test_two_at_once_do_not_disturb_each_other(registry, cache, tmp_path):
    with Front(registry, slow(1 << 19, 0.05)) as front:
        both = [start(cache, tmp_path / f"{number}.tar", front.address) for number in (1, 2)]
        for process in both:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert os.listdir(cache / "partial") == []
    for name in blobs_in(cache):
        content = (cache / "blobs/sha256" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == name


def test_what_was_left_and_is_wrong_does_not_stay(registry, cache):
    source = ("--plain-http", "--cache", cache, "-o", "-", f"{registry.address}/apps/web:1")
    whole = pull(*source)
    layer = max((cache / "blobs/sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    layer.unlink()
    # For each repository its own.
    origin = hashlib.sha256(f"http://{registry.address}/apps/web".encode()).hexdigest()
    left = cache / f"partial/sha256-{layer.name}-{origin[:16]}"
    left.write_bytes(b"\0" * 4096)
    assert "what came is" in fails(*source, code=FAILED)
    assert not left.exists()
    assert pull(*source) == whole


def test_layers_come_at_once_and_go_out_in_order(registry):
    """The second layer's request comes before the first layer's answer is over."""
    asked = []

    def trouble(handler, count):
        if handler.is_blob:
            asked.append(handler.path)
            if len(asked) <= 3:
                wait_until(lambda: len(set(asked)) == 3, "the other layers to be asked for")
        return False
    with Front(registry, trouble) as front:
        tarball = pull("--plain-http", "-o", "-", f"{front.address}/apps/web:1")
    assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")


def test_a_cache_that_cannot_be_used(registry, tmp_path):
    (tmp_path / "file").write_text("")
    assert "the cache cannot be used: " in fails(
        "--plain-http", "--cache", tmp_path / "file", "-o", "-", f"{registry.address}/apps/web:1")


def test_a_bad_image_from_a_registry_is_data_loss(registry, docker_device, unique):
    """Layers that are what their digests say, but not what the configuration says."""
    def trouble(handler, count):
        if not handler.path.endswith("/manifests/bad"):
            return False
        handler.path = handler.path.replace("bad", "1")
        answer, text = handler.whole()
        manifest = json.loads(text)
        manifest["layers"].reverse()
        return handler.answer(200, {"Content-Type": answer.getheader("Content-Type")},
                              json.dumps(manifest).encode())
    with Front(registry, trouble) as front, docker_device.deploy() as deploy:
        name = unique("fetched")
        deploy.transfer(name, "1", 0, remote_download={
            "path": f"{front.address}/apps/web:bad", "protocol": "HTTP"})
        deploy.close()
        assert deploy.status() == Code.DATA_LOSS
        assert f"{name}:1" not in docker_device.images()


def test_the_device_keeps_layers_too(registry, certificates, tmp_path, unique):
    """containerzd hands its cache on."""
    options = "--pull-cache", tmp_path / "cache"
    with running_stack("docker", tmp_path, certificates, *options) as stack, \
            Front(registry) as front, stack.channel() as channel:
        device = Device(channel)
        for tag in "1", "2":
            name = unique("fetched")
            front.requests.clear()
            remote(device, name, "1", path=f"{front.address}/apps/web:{tag}", protocol="HTTP")
            assert len(blobs_of(front)) == (3 if tag == "1" else 2)
            device.remove_image(f"{name}:1")
