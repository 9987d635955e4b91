"""Images that run only when they are signed, on Docker and on Podman."""

import base64
import subprocess

import pytest

import make_image
from conftest import ENGINES, engine_socket, need
from cosign import Key, Layout, digest, payload_for
from gnoi import Code, status_of
from guarded import Guarded
from harness import PROGRAMS, named
from puller import remote
from registry import Registry


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return Key(folder, "ours"), Key(folder, "theirs")


def signed_only(name, key, **policy):
    return {"signatures": [{"images": [name], "keys": [str(key.public)]}]} | policy


@pytest.fixture(params=ENGINES)
def guarded(request, tmp_path, keys, unique):
    """Under a policy that wants our signature for every image of one repository."""
    need(request.param)
    guarded = Guarded(request.param, engine_socket(request.param), tmp_path)
    guarded.name = unique("signed")
    with guarded.running(**signed_only(guarded.name, keys[0])):
        yield guarded
        guarded.set_policy(foreign=True)
        for container in guarded.device.containers().values():
            if container.image_name.startswith(guarded.name):
                guarded.device.remove(container.name)
        for image in guarded.device.images():
            if image.startswith(guarded.name):
                guarded.device.remove_image(image, force=True)


def layout(unique, **settings):
    """An image that no other test has."""
    return Layout(f"{unique()}\n", **settings)


def refusal(action, *arguments, **keywords):
    code, text = status_of(action, *arguments, **keywords)
    assert code is Code.PERMISSION_DENIED and "rule signatures)" in text, (code, text)
    return text


def runs(guarded, image, unique):
    name = guarded.device.start(image, unique())
    assert guarded.device.state(name) == "RUNNING"
    guarded.device.remove(name)


@pytest.mark.parametrize("style", ["save", "tag", "referrer", "bare"])
def test_a_signed_image_runs(guarded, keys, unique, style):
    archive = layout(unique).add_image().sign(keys[0], style=style).archive()
    guarded.device.push(archive, guarded.name, "1")
    runs(guarded, f"{guarded.name}:1", unique)


def test_a_signature_by_another_kind_of_key_is_passed_over(guarded, keys, unique, tmp_path):
    """It is longer than any that counts."""
    other = Key(tmp_path, "other", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")
    refusal(guarded.device.push, layout(unique).add_image().sign(other).archive(),
            guarded.name, "1")
    archive = layout(unique).add_image().sign(other, keys[0]).archive()
    guarded.device.push(archive, guarded.name, "1")
    runs(guarded, f"{guarded.name}:1", unique)


def test_the_signature_may_be_of_the_index(guarded, keys, unique):
    archive = layout(unique).add_image(in_index=True).sign(keys[0]).archive()
    guarded.device.push(archive, guarded.name, "1")
    runs(guarded, f"{guarded.name}:1", unique)


def test_one_good_signature_among_others_is_enough(guarded, keys, unique):
    image = layout(unique).add_image().sign(keys[1], keys[0])
    image.sign(keys[0], payload=payload_for(digest(b"something else")))
    guarded.device.push(image.archive(), guarded.name, "1")
    runs(guarded, f"{guarded.name}:1", unique)


BAD = {
    "none": lambda image, ours, theirs: image,
    "another key's": lambda image, ours, theirs: image.sign(theirs),
    "another image's": lambda image, ours, theirs: image.sign(
        ours, payload=payload_for(digest(b"something else"))),
    "the configuration's": lambda image, ours, theirs: image.sign(
        ours, payload=payload_for(image.image)),
    "of another kind": lambda image, ours, theirs: image.sign(
        ours, payload=payload_for(digest(image.manifest), type="something else")),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_unsigned_image_is_refused_when_it_is_pushed_and_leaves_nothing(
        guarded, keys, unique, kind):
    archive = BAD[kind](layout(unique).add_image(), *keys).archive()
    refusal(guarded.device.push, archive, guarded.name, "1")
    assert f"{guarded.name}:1" not in guarded.device.images()
    # Under a name that needs none it is an image like others.
    other = unique("other")
    guarded.device.push(archive, other, "1")
    runs(guarded, f"{other}:1", unique)
    guarded.device.remove_image(f"{other}:1")


def test_a_docker_archive_has_no_signatures(guarded, unique):
    archive = make_image.image_bytes(text=f"{unique()}\n")
    assert "none came with it" in refusal(guarded.device.push, archive, guarded.name, "1")


def test_images_that_are_there_already_need_one_too(guarded, keys, unique):
    image = layout(unique).add_image()
    guarded.set_policy()
    guarded.device.push(image.archive(), guarded.name, "1")
    name = guarded.device.start(f"{guarded.name}:1", unique())
    guarded.set_policy(**signed_only(guarded.name, keys[0]))
    reference = f"{guarded.name}:1"
    refusal(guarded.device.start, reference, unique())
    refusal(guarded.device.update, name, reference)
    assert guarded.device.state(name) == "RUNNING"
    guarded.device.stop(name, force=True)
    refusal(guarded.device.start, "", name)
    # The signature may follow: the same image, pushed again.
    guarded.device.push(image.sign(keys[0]).archive(), guarded.name, "1")
    guarded.device.start("", name)
    guarded.device.update(name, reference)
    # And does not get lost when the image comes once more without.
    bare = layout(unique)
    bare.blobs, bare.entries = image.blobs, image.entries[:1]
    guarded.device.push(bare.archive(), guarded.name, "2")
    runs(guarded, f"{guarded.name}:2", unique)


def test_a_new_key_makes_old_signatures_void(guarded, keys, unique):
    archive = layout(unique).add_image().sign(keys[0]).archive()
    guarded.device.push(archive, guarded.name, "1")
    runs(guarded, f"{guarded.name}:1", unique)
    guarded.set_policy(**signed_only(guarded.name, keys[1]))
    assert "by one of the keys" in refusal(
        guarded.device.start, f"{guarded.name}:1", unique())


def test_all_rules_have_to_be_satisfied(guarded, keys, unique):
    ours, theirs = keys
    guarded.set_policy(signatures=[
        {"images": [guarded.name], "keys": [str(ours.public)]},
        {"images": [f"{guarded.name}:release-*"], "keys": [str(theirs.public)]}])
    one = layout(unique).add_image().sign(ours).archive()
    guarded.device.push(one, guarded.name, "test-1")
    refusal(guarded.device.push, one, guarded.name, "release-1")
    both = layout(unique).add_image().sign(ours, theirs).archive()
    guarded.device.push(both, guarded.name, "release-1")
    runs(guarded, f"{guarded.name}:release-1", unique)


# --- From a registry ---


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def publish(registry, folder, image, tag, key=None, of_index=False):
    """Puts an image where cosign would find it, and its signature where cosign would put it."""
    (folder / "image.tar").write_bytes(image.archive())
    options = ("--all", "--preserve-digests") if image.index else ("--preserve-digests",)
    registry.push(f"oci-archive:{folder}/image.tar", f"apps/web:{tag}", *options)
    if key is None:
        return
    signed = digest(image.index if of_index else image.manifest)
    signature = Layout(f"{tag}\n")
    signature.sign_alone(key, payload_for(signed))
    (folder / "signature.tar").write_bytes(signature.archive())
    registry.push(f"oci-archive:{folder}/signature.tar",
                  f"apps/web:{signed.replace(':', '-')}.sig", "--preserve-digests")


@pytest.mark.parametrize("way", ["Deploy", "cz-pull"])
@pytest.mark.parametrize("kind", ["manifest", "index"])
def test_the_signature_comes_from_the_registry(guarded, registry, keys, unique, tmp_path, way, kind):
    def fetch(tag):
        if way == "Deploy":
            remote(guarded.device, guarded.name, tag,
                   path=f"{registry.address}/apps/web:{tag}", protocol="HTTP")
            return None
        return subprocess.run(
            [PROGRAMS / "cz-pull", "--plain-http", "--load", "--as", f"{guarded.name}:{tag}",
             "--runtime-socket", guarded.socket, f"{registry.address}/apps/web:{tag}"],
            capture_output=True, text=True, timeout=60)
    is_index = kind == "index"
    good, bad = unique("good"), unique("bad")
    publish(registry, tmp_path, layout(unique).add_image(in_index=is_index), good, keys[0], is_index)
    publish(registry, tmp_path, layout(unique).add_image(in_index=is_index), bad, keys[1], is_index)
    done = fetch(good)
    assert done is None or done.returncode == 0, done.stderr
    runs(guarded, f"{guarded.name}:{good}", unique)
    if way == "Deploy":
        refusal(fetch, bad)
    else:
        done = fetch(bad)
        assert done.returncode == 77 and "rule signatures)" in done.stderr, done.stderr
    assert f"{guarded.name}:{bad}" not in guarded.device.images()


# --- Whoever owns containerzd ---


def base64_text(data):
    return base64.b64encode(data).decode()


def attach(guarded, image, manifest, payload, signature, **more):
    return guarded.call(
        "AttachSignatures", image=image, manifest=base64_text(manifest),
        signatures=[{"payload": base64_text(payload), "signature": base64_text(signature)}], **more)


def test_lies_about_signatures_do_not_help(guarded, keys, unique, tmp_path):
    ours, theirs = keys
    good, evil = layout(unique).add_image(), layout(unique).add_image()
    # The evil image, loaded past containerzd, which would have asked for its signature.
    archive = tmp_path / "evil.tar"
    archive.write_bytes(make_image.image_bytes([f"{guarded.name}:1"], text=f"{unique()}\n"))
    reference = f"{guarded.name}:1"
    error, reply = guarded.call("LoadImage", archive, archive=0, image=named(reference))
    assert error is None, reply
    evil_id = f"sha256:{guarded.engine.image_id(reference)}"
    assert guarded.refused("StartContainer", spec={"image": named(reference)}) == "signatures"
    # With the good image's signature and manifest, ...
    payload = payload_for(digest(good.manifest))
    assert attach(guarded, evil_id, good.manifest, payload, ours.sign(payload))[0] is None
    # ... with a manifest that names the evil one but was not signed, ...
    manifest = good.manifest.replace(good.image.encode(), evil_id.encode())
    assert attach(guarded, evil_id, manifest, payload, ours.sign(payload))[0] is None
    # ... that was signed by somebody else, ...
    forged = payload_for(digest(manifest))
    assert attach(guarded, evil_id, manifest, forged, theirs.sign(forged))[0] is None
    # ... with an index that was not signed, ...
    index = b'{"manifests": [{"digest": "%s", "size": 1}]}' % digest(manifest).encode()
    assert attach(guarded, evil_id, manifest, payload, ours.sign(payload),
                  index=base64_text(index))[0] is None
    # ... or with none at all.
    assert attach(guarded, evil_id, manifest, b"", b"")[0] is None
    assert guarded.refused("StartContainer", spec={"image": named(reference)}) == "signatures"
    assert evil_id != evil.image
    # A true one is found among them all.
    assert attach(guarded, evil_id, manifest, forged, ours.sign(forged))[0] is None
    runs(guarded, reference, unique)


def test_what_is_kept_is_bounded(guarded, keys, unique):
    image = layout(unique).add_image().sign(keys[0])
    guarded.device.push(image.archive(), guarded.name, "1")
    kept = guarded.folder / f"state/signatures/{image.image.removeprefix('sha256:')}.json"
    assert kept.exists()
    # Rubbish does not push the good one out.
    for round in range(40):
        assert attach(guarded, image.image, image.manifest, b"%d" % round, b"x")[0] is None
    assert kept.stat().st_size < 16 * 4096
    runs(guarded, f"{guarded.name}:1", unique)
    signature = {"payload": "", "signature": ""}
    for fields in ({"image": digest(b"no such image"), "signatures": [signature],
                    "manifest": ""}, {"image": "x", "signatures": []},
                   {"image": image.image, "signatures": [signature]},
                   {"image": image.image, "signatures": [signature] * 17, "manifest": ""}):
        assert guarded.call("AttachSignatures", **fields)[0] == "InvalidArgument"
    before = kept.read_bytes()
    assert attach(guarded, image.image, image.manifest, b"x" * (65 << 10), b"")[0] is None
    assert kept.read_bytes() == before
    # They go with the image.
    guarded.device.remove_image(f"{guarded.name}:1")
    assert not kept.exists()


# --- Keys ---


@pytest.mark.parametrize("algorithm, said", [
    (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "secp384r1"),
    (["ED25519"], "not for ECDSA"), (None, "no public key"), ("missing", "No such file")])
def test_keys_that_cannot_be_used(tmp_path, algorithm, said):
    path = tmp_path / "key.pub"
    if algorithm is None:
        path.write_text("hello")
    elif algorithm != "missing":
        path = Key(tmp_path, "key", *algorithm).public
    policy = tmp_path / "policy.json"
    policy.write_text('{"signatures": [{"images": ["*"], "keys": ["%s"]}]}' % path)
    for arguments in ["policy", "check"], [
            "serve", "--socket", tmp_path / "socket", "--state-dir", tmp_path / "state"]:
        done = subprocess.run([PROGRAMS / "cz-runtime", *arguments, "--policy", policy],
                              capture_output=True, timeout=30, text=True)
        assert done.returncode == 1 and said in done.stderr and path.name in done.stderr
