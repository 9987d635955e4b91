"""cz as scripts and people use it: data, messages and exit codes."""

import hashlib
import json
import socket
import subprocess
import threading

import pytest

import make_image
import volume_plugin
from cz_client import DONE, FAILED, PARTLY, USAGE, UNREACHABLE, NOT_ALLOWED, Client
from harness import PROGRAMS, free_port, wait_until


@pytest.fixture
def cz(stack):
    return Client(stack)


@pytest.fixture
def docker_cz(docker_stack):
    return Client(docker_stack)


@pytest.fixture
def file(tmp_path, tarball):
    path = tmp_path / "web.tar"
    path.write_bytes(tarball)
    return path


def test_the_whole_path(cz, file, unique):
    image, name, port = f"{unique('image')}:1.0", unique("web"), free_port()
    repository, tag = image.split(":")
    assert cz.run("image", "push", file, image) == f"{image}\n"
    assert cz.errors == ""
    (listed,) = [i for i in cz.json("image", "list") if i["name"] == repository]
    assert listed["tag"] == tag and listed["id"].startswith("sha256:")
    header, *rows = cz.run("image", "list").splitlines()
    assert header.split() == ["NAME", "TAG", "ID"]
    assert [repository, tag] in [row.split()[:2] for row in rows]

    started = cz.run(
        "container", "start", image, "--instance", name, "-p", f"{port}:8080", "-e", "A=b c",
        "--restart", "always", "--memory", "64m", "--cpus", "0.5", "--label", "tier=front", "--",
        "sh", "-c", "echo \"$A\" 'it'\\''s'; exec /bin/serve")
    assert started == f"{name}\n"
    wait_until(lambda: "serving" in cz.run("container", "logs", name), "the server")
    assert cz.run("container", "logs", name).startswith("b c it's\n")
    (container,) = cz.json("container", "list", "--filter", f"name={name}")
    assert (container["name"], container["image"], container["status"]) == (name, image, "running")
    assert container["labels"]["tier"] == "front"
    assert container["hash"] == listed["id"]

    assert "is running (failedPrecondition)" in cz.fails("container", "remove", name)
    assert "(failedPrecondition)" in cz.fails("image", "remove", image, "--force")
    cz.run("container", "stop", name)
    assert name not in cz.run("container", "list")
    assert name in cz.run("container", "list", "--all")
    assert cz.json("container", "start", "--instance", name) == [{"instance": name}]
    assert cz.json("container", "stop", name, "--force") == [
        {"restarted": False, "stopped": name}]
    cz.run("container", "remove", name)
    cz.run("image", "remove", image)
    assert f"there is no image {image}" in cz.fails("image", "remove", image)


def test_deploy_pushes_and_starts(cz, file, unique):
    image, name = f"{unique('image')}:1.0", unique("web")
    assert cz.run("deploy", file, image, "--instance", name) == f"{name}\n"
    assert cz.json("container", "list", "--filter", f"name={name}")[0]["image"] == image
    # The image is there already, and the name is taken.
    assert cz.run("deploy", file, image, "--instance", name, code=FAILED) == ""
    assert f"there is a container {name} already" in cz.errors
    assert f"{image} is on the device now" in cz.errors
    cz.run("container", "remove", "--force", name)
    cz.run("image", "remove", image)


def test_an_update(cz, file, unique):
    image, name = unique("image"), unique("web")
    for tag in "1", "2":
        cz.run("image", "push", file, f"{image}:{tag}")
    cz.run("container", "start", f"{image}:1", "--instance", name, "--", "/bin/idle")
    assert cz.run("container", "update", name, f"{image}:2") == ""
    assert cz.json("container", "list", "--filter", f"name={name}")[0]["image"] == f"{image}:2"
    error = cz.run("container", "update", name, f"{image}:1", "--", "sh", "-c", "exit 4",
                   code=FAILED)
    assert error == "" and "exit code 4" in cz.errors
    assert cz.json("container", "list", "--filter", f"name={name}")[0]["image"] == f"{image}:2"
    assert cz.json("container", "update", name, f"{image}:1", "--async") == [
        {"async": True, "updated": name}]
    wait_until(lambda: [c["image"] for c in cz.json("container", "list", "--filter",
                                                    f"name={name}")] == [f"{image}:1"], "update")
    wait_until(lambda: cz.json("container", "list", "--filter", f"name={name}")[0]["labels"].get(
        "org.containerz.update.state") == "done", "its end")
    cz.run("container", "remove", "--force", name)
    cz.run("image", "remove", f"{image}:1", f"{image}:2")


def test_an_upgrade_and_its_way_back(cz, file, tmp_path, unique):
    image, name, port = unique("image"), unique("web"), free_port()
    second = tmp_path / "second.tar"
    second.write_bytes(make_image.image_bytes([f"{image}:2"], text="second"))
    cz.run("deploy", file, f"{image}:1", "--instance", name, "-p", f"{port}:8080")

    def runs():
        (container,) = cz.json("container", "list", "--filter", f"name={name}")
        return container["image"]

    url = f"http://127.0.0.1:{port}"
    assert cz.run("upgrade", name, second, "--health", f"{url}/index.html") == ""
    assert cz.errors.splitlines()[1:] == [
        f"updating {name} from {image}:1 to {image}:2", f"asking {url}/index.html",
        f"{name} runs {image}:2"]
    assert runs() == f"{image}:2"

    (result,) = [json.loads(line) for line in cz.run(
        "upgrade", name, file, "--as", f"{image}:3", "--health", f"{url}/missing",
        "--health-timeout", "2s", "--json", code=FAILED).splitlines()]
    assert result == {"instance": name, "image": f"{image}:2", "previous": f"{image}:2",
                      "rolledBack": True}
    assert "status 404" in cz.errors and f"{name} runs {image}:2 again" in cz.errors
    assert runs() == f"{image}:2"

    cz.run("upgrade", name, f"{image}:1", "--", "sh", "-c", "echo no use; exit 3", code=FAILED)
    assert "no use" in cz.errors
    assert cz.errors.splitlines()[-1] == f"{name} is running, with {image}:2"

    # A name that moves to the new image leaves nothing to go back to.
    cz.run("upgrade", name, file, "--as", f"{image}:2", "--health", url, code=FAILED)
    assert "use --as" in cz.errors
    assert "there is no container" in cz.fails("upgrade", unique("none"), f"{image}:1")
    cz.run("upgrade", name, f"{image}:1", "--health", "ftp://x", code=USAGE)
    cz.run("container", "remove", "--force", name)
    cz.run("image", "remove", "--force", *[f"{image}:{tag}" for tag in "123"])


def test_volumes(cz, unique, shared_folder):
    tmp_path = shared_folder
    name, bound = unique("volume"), unique("volume")
    assert cz.run("volume", "create", name, "--label", "tier=data") == f"{name}\n"
    assert cz.json("volume", "create", bound, "--bind", tmp_path, "--mount-option", "ro") == [
        {"volume": bound}]
    (listed,) = cz.json("volume", "list", "--filter", f"name={bound}")
    assert listed["options"] == {"type": "none", "o": "bind,ro", "device": str(tmp_path)}
    assert listed["created"] > 0
    header, *rows = cz.run("volume", "list", "--filter", f"name={bound}").splitlines()
    assert header.split() == ["NAME", "DRIVER", "OPTIONS"]
    assert rows[0].split()[:3] == [bound, "local", f"device={tmp_path}"]
    assert f"there is a volume {name} already (alreadyExists)" in cz.fails(
        "volume", "create", name)
    cz.run("volume", "create", "--bind", "/tmp", "--driver", "x", code=USAGE)
    assert "--bind and --driver exclude each other" in cz.errors
    cz.run("volume", "remove", name, bound, unique("missing"))
    assert cz.json("volume", "list", "--filter", f"name={name}") == []


def test_plugins(docker_cz, tmp_path, unique):
    name, folder = unique("plugin"), tmp_path / "tree"
    folder.mkdir()
    program, tarball, config = folder / "plugin", tmp_path / "plugin.tgz", tmp_path / "config.json"
    volume_plugin.build(program)
    for needed in "run", "volumes":
        (folder / needed).mkdir()
    subprocess.run(["tar", "-czf", tarball, "-C", folder, "."], check=True)
    config.write_text(json.dumps(volume_plugin.CONFIG))
    (pushed,) = docker_cz.json("plugin", "push", tarball, name)
    assert pushed == {"plugin": name, "size": tarball.stat().st_size}
    assert docker_cz.run(
        "plugin", "start", name, "--instance", name, "--config", config) == f"{name}\n"
    (listed,) = docker_cz.json("plugin", "list", name)
    assert listed["hash"] == "sha256:" + hashlib.sha256(tarball.read_bytes()).hexdigest()
    assert json.loads(listed["config"])["Entrypoint"] == ["/plugin"]
    header, row = docker_cz.run("plugin", "list", name).splitlines()
    assert header.split() == ["INSTANCE", "ID", "TARBALL"]
    assert row.split() == [f"{name}:latest", listed["id"][:12], listed["hash"]]
    assert "has to be stopped first" in docker_cz.fails("plugin", "remove", name)
    docker_cz.run("plugin", "stop", name)
    assert docker_cz.json("plugin", "start", "--instance", name) == [{"instance": name}]
    docker_cz.run("plugin", "stop", name, unique("missing"))
    docker_cz.run("plugin", "remove", f"{name}:latest")
    docker_cz.run("plugin", "remove-tar", name)
    assert name in docker_cz.fails("plugin", "remove-tar", name)
    assert name in docker_cz.fails("plugin", "start", name, "--instance", name)
    assert docker_cz.fails(
        "plugin", "start", name, "--instance", name, "--config", "/nonexistent") == (
        "cz: plugin start: /nonexistent: it cannot be read")
    docker_cz.run("plugin", "start", "--instance", name, "--config", config, code=USAGE)


def test_an_image_from_standard_input(docker_cz, tarball, unique):
    image = f"{unique('image')}:1.0"
    (pushed,) = docker_cz.json("image", "push", "-", image, input=tarball)
    assert pushed == {"name": image[:-4], "tag": "1.0", "size": len(tarball)}
    docker_cz.run("image", "remove", image)


def test_an_image_under_its_own_name(docker_cz, tmp_path, unique):
    image = f"{unique('image')}:7"
    (tmp_path / "x.tar").write_bytes(make_image.image_bytes([image]))
    assert docker_cz.run("image", "push", tmp_path / "x.tar") == f"{image}\n"
    docker_cz.run("image", "remove", image)


def test_following_a_log_ends_with_its_container(cz, file, unique):
    image, name = f"{unique('image')}:1.0", unique("web")
    cz.run("deploy", file, image, "--instance", name)
    following = subprocess.Popen(
        [PROGRAMS / "cz", *cz.arguments(), "container", "logs", "-f", name],
        stdout=subprocess.PIPE)
    assert b"serving" in following.stdout.readline()
    cz.run("container", "stop", name)
    rest, _ = following.communicate(timeout=30)
    assert following.returncode == DONE
    assert b"stopping" in rest
    cz.run("container", "remove", name)
    cz.run("image", "remove", image)


def test_several_objects_of_which_some_fail(docker_cz, file, unique):
    image = f"{unique('image')}:1.0"
    docker_cz.run("image", "push", file, image)
    docker_cz.run("image", "remove", image, "missing:1", code=PARTLY)
    assert docker_cz.errors == (
        "cz: image remove: missing:1: there is no image missing:1 (notFound)\n")
    docker_cz.run("image", "remove", image, "missing:1", code=FAILED)


# --- What goes wrong, each with one clear line ---


def test_a_file_that_is_not_there(docker_cz):
    assert docker_cz.fails("image", "push", "/nonexistent/x.tar", "a:1") == (
        "cz: image push: /nonexistent/x.tar: No such file or directory")


def test_a_file_that_is_no_image(docker_cz):
    assert "not an archive" in docker_cz.fails("image", "push", "/bin/sh", "a:1")


def test_nobody_listens(docker_cz):
    port = free_port()
    assert docker_cz.fails("image", "list", target=f"localhost:{port}", code=UNREACHABLE) == (
        f"cz: image list: cannot connect to localhost:{port}: Connection refused")
    docker_cz.fails("image", "list", target="unix:/nonexistent/x.sock", code=UNREACHABLE)


def test_a_name_that_does_not_resolve(docker_cz):
    docker_cz.fails("image", "list", target="device.invalid", code=UNREACHABLE)


def test_a_device_of_another_authority(docker_cz, docker_stack):
    other = docker_stack.certificates.other_authority.certificate
    line = docker_cz.fails("image", "list", ca=other, code=UNREACHABLE)
    assert "certificate" in line


def test_a_client_certificate_the_device_does_not_take(docker_cz, docker_stack):
    for certificate, key in (docker_stack.certificates.foreign_client,
                             docker_stack.certificates.expired_client):
        line = docker_cz.fails("image", "list", cert=certificate, key=key, code=NOT_ALLOWED)
        assert "certificate" in line
    line = docker_cz.fails("image", "list", cert=None, key=None, code=NOT_ALLOWED)
    assert "certificate" in line


def test_certificate_files_that_are_not_there(docker_cz):
    assert "/nonexistent.pem" in docker_cz.fails("image", "list", ca="/nonexistent.pem")
    assert "/nonexistent.pem" in docker_cz.fails("image", "list", cert="/nonexistent.pem")


def test_a_name_that_is_not_in_the_certificate(docker_cz, docker_stack):
    target = f"127.0.0.2:{docker_stack.port}"
    docker_cz.fails("image", "list", **{"server-name": "elsewhere.example"}, code=UNREACHABLE)
    assert docker_cz.fails("image", "list", target=target, code=UNREACHABLE)


def test_a_device_that_answers_nothing(docker_cz):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        docker_cz.fails("image", "list", target=f"127.0.0.1:{port}", timeout="1s")


def test_a_connection_that_breaks_in_the_middle(docker_cz, docker_stack, tmp_path):
    """A relay that lets some of an image through."""
    (tmp_path / "big.tar").write_bytes(make_image.image_bytes(mib=16))
    relay = socket.create_server(("127.0.0.1", 0))

    def serve():
        near, _ = relay.accept()
        far = socket.create_connection(("127.0.0.1", docker_stack.port))

        def back():
            try:
                while data := far.recv(65536):
                    near.sendall(data)
            except OSError:
                pass
        threading.Thread(target=back, daemon=True).start()
        passed = 0
        while passed < 4 << 20:
            data = near.recv(65536)
            passed += len(data)
            far.sendall(data)
        for end in near, far:
            end.shutdown(socket.SHUT_RDWR)
            end.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = relay.getsockname()[1]
    docker_cz.fails("image", "push", tmp_path / "big.tar", "broken:1",
                    target=f"localhost:{port}", code=UNREACHABLE)
    thread.join(30)
    relay.close()
    assert "broken" not in docker_cz.run("image", "list")


@pytest.mark.parametrize("command", [
    [], ["image"], ["image", "remove"], ["image", "push"], ["image", "list", "--bogus"],
    ["image", "push", "x.tar", "UPPER"], ["container", "start"],
    ["container", "start", "a", "-p", "80"], ["container", "start", "a", "-e", "x"],
    ["container", "start", "a", "--memory", "lots"], ["container", "start", "a", "--timeout", "x"],
    ["--target", "a:b", "image", "list"], ["--target", "", "image", "list"],
    ["--cert", "x", "image", "list"],
])
def test_usage(command):
    done = subprocess.run([PROGRAMS / "cz", *command], capture_output=True, timeout=30)
    # Nothing but a group of commands shows its help.
    assert done.returncode == (DONE if command in ([], ["image"]) else USAGE), done.stderr


def test_the_environment_stands_for_options(docker_cz, docker_stack):
    certificate, key = docker_stack.certificates.client
    environment = {
        "CZ_TARGET": f"localhost:{docker_stack.port}", "CZ_CERT": str(certificate),
        "CZ_CA": str(docker_stack.certificates.authority.certificate), "CZ_KEY": str(key)}
    docker_cz.options = {}
    assert docker_cz.run("image", "list", environment=environment).startswith("NAME")
    # Options behind the command count more.
    docker_cz.fails("image", "list", "--target", "localhost:1", code=UNREACHABLE,
                    environment=environment)


def test_a_reader_that_goes_away_is_no_complaint(docker_cz):
    done = subprocess.run(
        f"{PROGRAMS}/cz {' '.join(docker_cz.arguments())} image list | true", shell=True,
        capture_output=True, timeout=30)
    assert done.stderr == b""
