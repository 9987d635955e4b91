"""cz-pull with a real registry, and with one that makes trouble."""

import base64
import hashlib
import json
import os
import stat
import subprocess
import time

import pytest

import make_image
from conftest import running_stack
from gnoi import Code, Device
from harness import PROGRAMS, runtime_call, wait_until
from puller import FAILED, NOT_ALLOWED, UNREACHABLE, USAGE, fails, image_in, pull, remote
from registry import Front, Registry, token_server

@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "web.tar"
    with open(path, "wb") as file:
        make_image.make_image(file, ["web:1"], mib=4)
    return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory, archive):
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push(f"docker-archive:{archive}", "apps/web:1")
        registry.push(f"docker-archive:{archive}", "apps/docker:1", "--format", "v2s2")
        registry.push(f"docker-archive:{archive}", "apps/zstd:1", "--format", "oci",
                      "--dest-compress-format", "zstd", "--dest-compress")
        yield registry


@pytest.mark.parametrize("name", ["apps/web", "apps/docker", "apps/zstd"])
def test_to_a_file_and_to_standard_output(registry, tmp_path, name):
    source = f"{registry.address}/{name}:1"
    out = pull("--plain-http", "-o", tmp_path / "x.tar", source)
    assert out.decode() == f"{name}:1\n"
    tarball = (tmp_path / "x.tar").read_bytes()
    tags, config = image_in(tarball)
    assert tags == [f"{name}:1"] and len(config["rootfs"]["diff_ids"]) == 2
    assert pull("--plain-http", "-o", "-", source) == tarball
    assert os.listdir(tmp_path) == ["x.tar"]


def test_what_is_no_file_is_only_written_to(registry, tmp_path):
    source = f"{registry.address}/apps/web:1"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(tmp_path / "copy", "wb") as copy:
        reader = subprocess.Popen(["cat", pipe], stdout=copy)
    pull("--plain-http", "-o", pipe, source)
    reader.wait()
    assert (tmp_path / "copy").read_bytes() == pull("--plain-http", "-o", "-", source)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert "Is a directory" in fails("--plain-http", "-o", tmp_path, source)


def test_by_digest_under_another_name(registry, tmp_path):
    digest = json.loads(subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{registry.address}/apps/web:1"],
        check=True, capture_output=True).stdout)["Digest"]
    tarball = pull("--plain-http", "--as", "other:2", "-o", "-",
                   f"{registry.address}/apps/web@{digest}")
    assert image_in(tarball)[0] == ["other:2"]
    wrong = "sha256:" + "0" * 64
    assert "there is none" in fails(
        "--plain-http", "-o", "-", f"{registry.address}/apps/web@{wrong}")


def test_as_an_oci_archive(registry, tmp_path):
    path = tmp_path / "x.tar"
    pull("--plain-http", "--format", "oci", "-o", path, f"{registry.address}/apps/web:1")
    listed = json.loads(subprocess.run(
        ["skopeo", "inspect", f"oci-archive:{path}"], check=True, capture_output=True).stdout)
    assert len(listed["Layers"]) == 2


def can_be_fetched_again(stack, name):
    """What cz-runtime has noted of an image, for whoever cleans up."""
    survey = json.loads(runtime_call(stack.runtime_socket, "SurveyUse").stdout)
    (found,) = [image for image in survey["images"]
                if {"repository": name, "tag": "1"} in image["names"]]
    return found["fetched"]


def test_into_the_engine(registry, stack, device, unique):
    name = unique("pulled")
    out = pull("--plain-http", "--load", "--as", f"{name}:1", "--runtime-socket",
               stack.runtime_socket, f"{registry.address}/apps/web:1")
    assert out.decode() == f"{name}:1\n"
    assert f"{name}:1" in device.images() and can_be_fetched_again(stack, name)
    instance = device.start(f"{name}:1", unique("instance"))
    wait_until(lambda: device.state(instance) == "RUNNING", "the container")
    device.remove(instance)
    device.remove_image(f"{name}:1")


def test_events_for_scripts(registry, tmp_path):
    source = f"{registry.address}/apps/web:1"
    events = [json.loads(line) for line in pull(
        "--plain-http", "--json", "-o", tmp_path / "x.tar", source).splitlines()]
    assert events[0]["event"] == "resolved" and events[0]["layers"] == 2
    assert {event["event"] for event in events[1:-1]} == {"progress"}
    assert events[-1] == {"event": "done", "image": "apps/web:1", "digest": events[0]["digest"],
                          "fetched": events[-1]["fetched"]}
    assert events[-1]["fetched"] > 4 << 20


def test_with_tls(tmp_path, archive, certificates):
    with Registry(tmp_path / "registry", tls=certificates.server) as registry:
        registry.push(f"docker-archive:{archive}", "web:1")
        source = f"{registry.address}/web:1"
        authority = certificates.authority.certificate
        assert image_in(pull("--ca", authority, "-o", "-", source))[0] == ["web:1"]
        assert "no secure connection" in fails("-o", "-", source, code=UNREACHABLE)
        other = certificates.other_authority.certificate
        fails("--ca", other, "-o", "-", source, code=UNREACHABLE)


def test_with_a_password(tmp_path, archive):
    secret = "reg1stry-s3cret"
    with Registry(tmp_path / "registry", user="robot", password=secret) as registry:
        registry.push(f"docker-archive:{archive}", "web:1", credentials=f"robot:{secret}")
        source = ("--plain-http", "-o", "-", f"{registry.address}/web:1")
        pull("--username", "robot", "--password-stdin", *source, input=f"{secret}\n".encode())
        authfile = tmp_path / "auth.json"
        authfile.touch(mode=0o600)
        authfile.write_text(json.dumps({"credsStore": "none", "auths": {registry.address: {
            "auth": base64.b64encode(f"robot:{secret}".encode()).decode()}}}))
        pull("--authfile", authfile, *source)
        assert "wants credentials" in fails(*source, code=NOT_ALLOWED)
        line = fails("--username", "robot", "--password-stdin", *source, code=NOT_ALLOWED,
                     input=b"wrong-s3cret\n")
        assert "does not accept the credentials" in line and "s3cret" not in line
        authfile.chmod(0o644)
        assert "chmod o-r" in fails("--authfile", authfile, *source)


def test_with_a_token(registry):
    with Front(registry, token_server("robot", "s3cret")) as front:
        source = ("--plain-http", "-o", "-", f"{front.address}/apps/web:1")
        pull("--username", "robot", "--password-stdin", *source, input=b"s3cret")
        assert "answers 401" in fails(
            "--username", "robot", "--password-stdin", *source, input=b"wrong", code=NOT_ALLOWED)


def test_a_platform_of_several(tmp_path, registry):
    """An index as it comes from a registry that holds one image for two machines."""
    other = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
             "digest": "sha256:" + "1" * 64, "platform": {"os": "linux", "architecture": "vax"}}

    def trouble(handler, count):
        if not handler.path.endswith("/manifests/several"):
            return False
        handler.path = handler.path.replace("several", "1")
        answer, manifest = handler.whole()
        index = {"schemaVersion": 2, "manifests": [other, {
            "mediaType": answer.getheader("Content-Type"), "size": len(manifest),
            "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(),
            "platform": {"os": "linux", "architecture": "amd64"}}]}
        return handler.answer(
            200, {"Content-Type": "application/vnd.oci.image.index.v1+json"},
            json.dumps(index).encode())
    with Front(registry, trouble) as front:
        source = ("--plain-http", "-o", "-", f"{front.address}/apps/web:several")
        assert image_in(pull("--platform", "linux/amd64", *source))[0] == ["apps/web:several"]
        assert "no image for linux/pdp, only for linux/vax, linux/amd64" in fails(
            "--platform", "linux/pdp", *source)


# --- Through the API ---


def test_the_device_fetches_an_image(registry, stack, device, unique):
    name = unique("fetched")
    progress, success = remote(
        device, name, "1", path=f"{registry.address}/apps/web:1", protocol="HTTP")
    assert progress and all(
        response.WhichOneof("response") == "image_transfer_progress" for response in progress)
    assert (success.name, success.tag) == (name, "1") and success.image_size > 4 << 20
    assert f"{name}:1" in device.images() and can_be_fetched_again(stack, name)
    device.remove_image(f"{name}:1")


@pytest.mark.parametrize("code, download", [
    (Code.NOT_FOUND, {"path": "apps/none:1", "protocol": "HTTP"}),
    (Code.INVALID_ARGUMENT, {"path": "A b", "protocol": "HTTP"}),
    (Code.INVALID_ARGUMENT, {"path": "apps/web:1"}),
    (Code.INVALID_ARGUMENT, {"path": "image.tar", "protocol": "SFTP"}),
    (Code.UNAVAILABLE, {"path": "apps/web:1", "protocol": "HTTPS"}),
])
def test_what_the_device_cannot_fetch(registry, docker_device, unique, code, download):
    download["path"] = f"{registry.address}/{download['path']}"
    with docker_device.deploy() as deploy:
        deploy.transfer(unique("fetched"), "1", 0, remote_download=download)
        deploy.close()
        assert deploy.status() == code


def test_a_client_that_goes_away_ends_the_fetching(registry, docker_stack, docker_device, unique):
    def trouble(handler, count):
        if not handler.is_blob:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)

    def children():
        pid = docker_stack.front.pid
        return "".join(open(f"/proc/{pid}/task/{task}/children").read()
                       for task in os.listdir(f"/proc/{pid}/task")).split()
    with Front(registry, trouble) as front, docker_device.deploy() as deploy:
        deploy.transfer(unique("fetched"), "1", 0, remote_download={
            "path": f"{front.address}/apps/web:1", "protocol": "HTTP"})
        wait_until(children, "cz-pull to run")
        deploy.call.cancel()
        wait_until(lambda: not children(), "cz-pull to end")


# --- Trouble ---


def cut_in_the_middle(handler, count):
    """Half a blob, then the connection breaks; later requests get what they ask for."""
    if not handler.is_blob or count > 3:
        return False
    answer, body = handler.whole()
    handler.send_response(answer.status)
    for key in "Content-Length", "Content-Range":
        if answer.getheader(key):
            handler.send_header(key, answer.getheader(key))
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    return handler.cut()


def busy_at_first(handler, count):
    return count <= 2 and handler.answer(503, {"Retry-After": "0"})


def no_ranges(handler, count):
    if handler.is_blob and count == 1:
        return cut_in_the_middle(handler, count)
    if handler.headers.get("Range"):
        del handler.headers["Range"]
    return False


@pytest.mark.parametrize("trouble", [cut_in_the_middle, busy_at_first, no_ranges])
def test_trouble_that_passes(registry, trouble):
    with Front(registry, trouble) as front:
        tarball = pull("--plain-http", "-o", "-", f"{front.address}/apps/web:1")
        assert tarball == pull("--plain-http", "-o", "-", f"{registry.address}/apps/web:1")
        if trouble is cut_in_the_middle:
            # It went on where it broke off.
            assert [headers["Range"] for _, headers in front.requests if "Range" in headers]


def wrong_bytes(handler, count):
    if not handler.is_blob:
        return False
    _, body = handler.whole()
    return handler.answer(200, body=b"\0" * len(body))


def too_much(handler, count):
    if not handler.is_blob:
        return False
    _, body = handler.whole()
    return handler.answer(200, body=body + b"x")


def too_little(handler, count):
    if not handler.is_blob:
        return False
    _, body = handler.whole()
    return handler.answer(200, body=body[:-1])


def manifest_bomb(handler, count):
    if "/manifests/" not in handler.path:
        return False
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    for _ in range(1 << 14):
        handler.wfile.write(b"[" * (1 << 16))
    return True


@pytest.mark.parametrize("trouble, code, text", [
    (wrong_bytes, FAILED, "what came is sha256:"),
    (too_much, FAILED, "more than the"),
    (too_little, UNREACHABLE, "it ended after"),
    (manifest_bomb, FAILED, "the manifest has more than 4194304 bytes"),
    (lambda handler, count: handler.answer(
        401, {"WWW-Authenticate": 'Basic realm="x"'}), NOT_ALLOWED, "wants credentials"),
    (lambda handler, count: handler.answer(401), NOT_ALLOWED, "of a kind that is not known"),
    (lambda handler, count: handler.answer(307, {"Location": handler.path}), UNREACHABLE,
     "redirects more than 5 times"),
    (lambda handler, count: handler.answer(403), NOT_ALLOWED, "forbids it"),
    (lambda handler, count: handler.answer(200, body=b"{}"), FAILED, "is no manifest"),
    (lambda handler, count: handler.answer(503, {"Retry-After": "0"}), UNREACHABLE,
     "answers 503; tried 5 times"),
], ids=["wrong bytes", "too much", "too little", "manifest bomb", "401", "401 without a word",
        "redirect loop", "403", "no manifest", "503"])
def test_trouble_that_stays(registry, tmp_path, trouble, code, text):
    with Front(registry, trouble) as front:
        line = fails("--plain-http", "-o", tmp_path / "x.tar", f"{front.address}/apps/web:1",
                     code=code)
        assert text in line
        assert os.listdir(tmp_path) == []


def test_credentials_do_not_follow_a_redirect(registry, tmp_path, archive):
    with Front(registry) as elsewhere:
        def trouble(handler, count):
            if not handler.headers.get("Authorization"):
                return handler.answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
            # By another name, so that it is another host.
            return handler.is_blob and handler.answer(
                307, {"Location": f"http://127.0.0.1:{elsewhere.port}{handler.path}"})
        with Front(registry, trouble) as front:
            pull("--plain-http", "--username", "robot", "--password-stdin", "-o", "-",
                 f"{front.address}/apps/web:1", input=b"s3cret")
            assert any("Authorization" in headers for _, headers in front.requests)
        assert elsewhere.requests
        assert not any("Authorization" in headers for _, headers in elsewhere.requests)


def test_who_is_redirected_to_gets_no_credentials_by_asking(registry):
    """Whatever another host names as its token server, the registry's credentials stay."""
    def asks(handler, count):
        return handler.answer(401, {
            "WWW-Authenticate": f'Bearer realm="http://{handler.headers["Host"]}/token"'})
    with Front(registry, asks) as elsewhere:
        def trouble(handler, count):
            if not handler.headers.get("Authorization"):
                return handler.answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
            return handler.is_blob and handler.answer(
                307, {"Location": f"http://127.0.0.1:{elsewhere.port}{handler.path}?secret=x"})
        with Front(registry, trouble) as front:
            line = fails("--plain-http", "--username", "robot", "--password-stdin", "-o", "-",
                         f"{front.address}/apps/web:1", input=b"s3cret", code=UNREACHABLE)
        assert "which wants credentials" in line and "secret" not in line
        assert elsewhere.requests
        assert not any("Authorization" in headers for _, headers in elsewhere.requests)


def test_what_a_registry_says_is_fit_for_a_terminal(registry):
    """However many platforms it names, and whatever it calls them."""
    def trouble(handler, count):
        platform = {"os": "linux", "architecture": "\x1b[31mvax" + "x" * 1000}
        index = {"schemaVersion": 2, "manifests": [
            {"size": 2, "digest": "sha256:" + "1" * 64, "platform": platform}] * 500}
        return handler.answer(200, {
            "Content-Type": "application/vnd.oci.image.index.v1+json"}, json.dumps(index).encode())
    with Front(registry, trouble) as front:
        line = fails("--plain-http", "-o", "-", f"{front.address}/apps/web:1")
    assert "no image for" in line and "\x1b" not in line and len(line) < 8192


def test_sizes_that_cannot_be(registry, tmp_path):
    def trouble(handler, count):
        if "/manifests/" not in handler.path:
            return False
        answer, text = handler.whole()
        manifest = json.loads(text)
        for layer in manifest["layers"]:
            layer["size"] = 2 ** 63 - 1
        return handler.answer(200, {"Content-Type": answer.getheader("Content-Type")},
                              json.dumps(manifest).encode())
    with Front(registry, trouble) as front:
        assert "sizes that cannot be" in fails(
            "--plain-http", "-o", tmp_path / "x.tar", f"{front.address}/apps/web:1")


def test_hosts_that_clients_may_name(registry, certificates, tmp_path, unique):
    options = "--pull-from", registry.address, "--pull-from", "*.example.com"
    with running_stack("docker", tmp_path, certificates, *options) as stack, \
            stack.channel() as channel:
        device = Device(channel)
        name = unique("fetched")
        remote(device, name, "1", path=f"{registry.address}/apps/web:1", protocol="HTTP")
        device.remove_image(f"{name}:1")
        for path, protocol in (
                ("localhost:1/apps/web:1", "HTTP"), ("127.0.0.1/x.tar", "HTTP"),
                ("example.com/x.tar", "HTTPS"), ("[::1]:22:/x.tar", "SFTP")):
            with device.deploy() as deploy:
                deploy.transfer(name, "1", 0, remote_download={
                    "path": path, "protocol": protocol})
                deploy.close()
                assert deploy.status() == Code.PERMISSION_DENIED, path


def test_the_device_s_own_files_are_wrong(registry, certificates, tmp_path, unique):
    """Which is no client's fault, and said to it all the same."""
    (tmp_path / "registries.json").write_text('{"mirors": []}')
    (tmp_path / "registries.json").chmod(0o644)
    options = "--pull-registries", tmp_path / "registries.json"
    with running_stack("docker", tmp_path, certificates, *options) as stack, \
            stack.channel() as channel, Device(channel).deploy() as deploy:
        deploy.transfer(unique("fetched"), "1", 0, remote_download={
            "path": f"{registry.address}/apps/web:1", "protocol": "HTTP"})
        deploy.close()
        code, text = deploy.status(), deploy.call.details()
        assert code == Code.INTERNAL and "registries.json" in text and "mirors" in text, text


def test_a_password_that_is_too_long(registry, docker_device, unique):
    with docker_device.deploy() as deploy:
        deploy.transfer(unique("fetched"), "1", 0, remote_download={
            "path": f"{registry.address}/apps/web:1", "protocol": "HTTP",
            "credentials": {"username": "robot", "cleartext": "x" * (1 << 20)}})
        deploy.close()
        assert deploy.status() == Code.INVALID_ARGUMENT


def test_interrupted(registry, tmp_path):
    """Nothing is left of a file that was not finished."""
    def trouble(handler, count):
        if not handler.is_blob:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)
    with Front(registry, trouble) as front:
        process = subprocess.Popen(
            [PROGRAMS / "cz-pull", "--plain-http", "-o", tmp_path / "x.tar",
             f"{front.address}/apps/web:1"], stderr=subprocess.PIPE)
        wait_until(lambda: os.listdir(tmp_path), "it to begin")
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert process.returncode == FAILED and b"interrupted" in errors
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("arguments", [
    ["localhost:1/a"], ["-o", "-", "--load", "localhost:1/a"], ["-o", "-", "alpine:3"],
    ["-o", "-", "localhost:1/A"], ["-o", "-", "localhost:1/a", "--platform", "linux"],
    ["-o", "-", "localhost:1/a", "--username", "x"], ["--load", "--format", "oci", "x.y/a"]])
def test_usage(arguments):
    pull(*arguments, code=USAGE)


def test_nobody_answers(unique):
    assert "Connection refused" in fails(
        "--plain-http", "-o", "-", "localhost:1/a", code=UNREACHABLE)
