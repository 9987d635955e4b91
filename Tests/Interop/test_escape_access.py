"""Attacks on access: names that look like others, files that others can exchange, what a reader sees
of the device's other containers, sockets of the wrong group, and what audit records leave out."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import types

import grpc
import pytest

import volume_plugin
from conftest import ENGINES, engine_socket, need, pushed_image
from engine_api import request
from gnoi import Code, Device, code_of, messages, status_of
from guarded import Guarded
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port, named, runtime_call, wait_until
from pki import openssl
from test_access import Front, call, hashed, login
from test_plugins import archive, root

SECRET = "s3cret-of-the-operator"
UPGRADE_PROGRAM = pathlib.Path(__file__).parents[2] / "packaging/upgrade/containerz-upgrade"
NOBODY = 65534


# --- Names that look like others ---


def issue(authority, folder, subject, alternative_names=None):
    """A client certificate with any subject, and with alternative names or none."""
    folder.mkdir(exist_ok=True)
    key, wanted, certificate = (folder / f"forged.{ending}" for ending in ("key", "csr", "pem"))
    extensions = folder / "forged.ext"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8",
            "-keyout", key, "-out", wanted, "-subj", subject)
    extensions.write_text("extendedKeyUsage=clientAuth\n" + (
        f"subjectAltName={alternative_names}\n" if alternative_names else ""))
    openssl("x509", "-req", "-in", wanted, "-CA", authority.certificate, "-CAkey", authority.key,
            "-CAcreateserial", "-days", "7", "-extfile", extensions, "-out", certificate)
    return certificate, key


@pytest.fixture(scope="module")
def mutual(docker_stack, tmp_path_factory):
    with Front(docker_stack, tmp_path_factory.mktemp("names"), "--passwd-file",
               "PASSWORDS") as front:
        yield front


URI = "spiffe://lab.example/containerz/write"
FORGERIES = {
    "a subject that ends so": (r"/CN=mallory\/containerz\/write", None),
    "another attribute that ends so": (r"/CN=mallory/OU=x\/containerz\/write", None),
    "the first attribute": (r"/O=x\/containerz\/write/CN=mallory", None),
    "a subject that is a URI": (f"/CN={URI}".replace("//", r"\/\/", 1).replace("e/c", r"e\/c")
                                .replace("z/w", r"z\/w"), None),
    "a subject beside an address": (r"/CN=mallory\/containerz\/write", "email:m@lab.example"),
    "a DNS name that ends so": ("/CN=mallory", "DNS:mallory/containerz/write"),
    "a DNS name that is a URI": ("/CN=mallory", f"DNS:{URI}"),
    "a DNS name of an account": ("/CN=mallory", "DNS:unix:root"),
    "a URI without a scheme": ("/CN=mallory", "URI:mallory/containerz/write"),
    "a URI of a user": ("/CN=mallory", "URI:user:bob"),
    "a good URI beside such a name": (
        "/CN=mallory", "URI:spiffe://lab.example/somebody,DNS:x/containerz/write"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_no_other_name_is_taken_for_a_uri(mutual, tmp_path, attack, forgery):
    subject, alternative_names = FORGERIES[forgery]
    mutual.certificates.mallory = issue(
        mutual.certificates.authority, tmp_path / "pki", subject, alternative_names)
    before = len(mutual.records(decision="allowed"))
    with mutual.channel("mallory") as channel:
        for method in "ListContainer", "StartContainer", "Deploy":
            code = call(channel, method)
            assert code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED), (forgery, method, code)
    assert len(mutual.records(decision="allowed")) == before
    attack(f"a client certificate with {forgery}", "no RPC was allowed")


def test_no_user_is_taken_for_a_uri(mutual, attack):
    name = "alice/containerz/write"
    passwords = mutual.passwords.read_text()
    try:
        mutual.passwords.write_text(f"{passwords}{name}:{hashed('wonder')}\n")
        with mutual.channel() as channel:
            wait_until(lambda: call(channel, "ListImage", login(name, "wonder"))
                       == Code.PERMISSION_DENIED, "the password to be known, and no rule")
            assert call(channel, "Deploy", login(name, "wonder")) == Code.PERMISSION_DENIED
        attack(f"the user {name}", "no RPC was allowed")
    finally:
        mutual.passwords.write_text(passwords)


def test_subjects_and_dns_names_still_are_principals(docker_stack, tmp_path):
    """Of a device whose owner wrote them into the policy; and they end where their owner does."""
    front = Front(docker_stack, tmp_path / "front")
    policy = json.loads(front.policy.read_text())
    policy["allow_rules"][0]["source"]["principals"] += [
        "CN=alice", "CN=team-*", "*,O=lab", "*.clients.example"]
    front.policy.write_text(json.dumps(policy))
    expected = [
        ("/CN=alice", None, Code.OK), ("/CN=team-7", None, Code.OK),
        ("/O=lab/CN=bob", None, Code.OK), ("/CN=bob", "DNS:a.clients.example", Code.OK),
        ("/CN=bob", None, Code.PERMISSION_DENIED), ("/CN=alice/OU=x", None, Code.PERMISSION_DENIED),
        # A comma in a name, which openssl escapes as the printed subject does.
        (r"/CN=bob\,O=lab", None, Code.PERMISSION_DENIED),
        ("/CN=x.clients.example", None, Code.PERMISSION_DENIED),
    ]
    with front:
        for number, (subject, names, code) in enumerate(expected):
            front.certificates.someone = issue(
                front.certificates.authority, tmp_path / f"pki{number}", subject, names)
            with front.channel("someone") as channel:
                assert call(channel, "ListImage") == code, subject


@pytest.mark.parametrize("principal, code", [
    (URI, 0), ("CN=mallory/containerz/write", 77), ("mallory/containerz/write", 77),
    ("user:alice/containerz/write", 77), ("unix:a/containerz/write", 77), (f"CN={URI}", 77),
    ("/containerz/write", 77), ("unix:root", 0),
])
def test_authz_check_agrees(principal, code):
    done = subprocess.run(
        [PROGRAMS / "containerzd", "authz", "check", "--policy", AUTHZ_POLICY, "--principal",
         principal, "--method", "Deploy"], capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stdout


def test_a_lab_s_certificates_work(docker_stack, tmp_path):
    lab = tmp_path / "lab"
    subprocess.run([PROGRAMS / "cz", "tls", "init", lab, "--server", "localhost"], check=True,
                   capture_output=True, timeout=60)
    port = free_port()
    with Daemon("containerzd", "--listen", f"127.0.0.1:{port}", "--runtime-socket",
                docker_stack.runtime_socket, "--tls-dir", lab / "device", "--authz-policy",
                AUTHZ_POLICY, "--plugin-dir", tmp_path / "plugins"):
        def cz(who, *arguments):
            return subprocess.run(
                [PROGRAMS / "cz", "--target", f"localhost:{port}", "--ca", lab / "ca.pem", "--cert",
                 lab / f"{who}.pem", "--key", lab / f"{who}.key", *arguments],
                capture_output=True, text=True, timeout=60).returncode
        assert cz("operator", "container", "list") == cz("viewer", "container", "list") == 0
        assert cz("operator", "volume", "remove", "no-such-volume") == 0
        assert cz("viewer", "volume", "remove", "no-such-volume") == 77


# --- Files that others can exchange ---


@pytest.fixture
def shared():
    """A folder outside of pytest's own, which only root can enter."""
    with tempfile.TemporaryDirectory(prefix="cz-shared.", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def exchange(path, replacement):
    """What an attacker without rights does; whether it succeeded."""
    script = f"mv {shlex.quote(str(path))} {path}.old && cp {replacement} {path}"
    return subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c", script],
        capture_output=True).returncode == 0


def moved(front, folder):
    """Puts all that a containerzd reads where others can reach it, each file in its own folder."""
    files = {"policy": front.policy, "passwords": front.passwords,
             "certificate": front.certificate, "key": front.key}
    arguments = [str(argument) for argument in front.arguments]
    for option, name in (("--client-ca", "authority"), ("--crl", "revocations")):
        files[name] = pathlib.Path(arguments[arguments.index(option) + 1])
    places = {}
    for name, source in files.items():
        places[name] = folder / name / "inner" / source.name
        places[name].parent.mkdir(parents=True)
        shutil.copy(source, places[name])
        places[name].chmod(0o600 if name in ("key", "passwords") else 0o644)
        arguments = [str(places[name]) if argument == str(source) else argument
                     for argument in arguments]
    front.arguments = arguments
    return places


KINDS = ["policy", "passwords", "certificate", "key", "authority", "revocations"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_of_containerzd_can_be_exchanged(docker_stack, tmp_path, shared, attack, kind):
    front = Front(docker_stack, tmp_path / "front", "--passwd-file", "PASSWORDS")
    places = moved(front, shared)

    def refusal():
        done = subprocess.run([PROGRAMS / front.arguments[0], *front.arguments[1:]],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        return done.stderr
    for folder in places[kind].parent, places[kind].parent.parent:
        folder.chmod(0o777)
        assert f"chmod o-w {folder}" in refusal(), kind
        folder.chmod(0o755)
        os.chown(folder, NOBODY, 0)
        assert f"chown root {folder}" in refusal(), kind
        os.chown(folder, 0, 0)
    # By a link in a folder that others can write to.
    (shared / "open").mkdir()
    link = shared / "open/link"
    link.symlink_to(places[kind])
    (shared / "open").chmod(0o777)
    original = front.arguments
    front.arguments = [str(link) if argument == str(places[kind]) else argument
                       for argument in original]
    assert f"chmod o-w {shared}/open" in refusal()
    # Good as it is; and when a folder is opened later, a changed file is not taken.
    front.arguments = original
    front.daemon = Daemon(*front.arguments)
    with front.daemon, front.channel("client") as channel:
        assert call(channel, "ListImage") == Code.OK
        places[kind].parent.chmod(0o777)
        evil = shared / "evil"
        evil.write_text('{"name": "evil", "allow_rules": [{"name": "all"}]}')
        evil.chmod(0o644)
        if kind in ("key", "passwords"):
            places[kind].rename(f"{places[kind]}.old")
            shutil.copy(evil, places[kind])
            os.chown(places[kind], NOBODY, 0)
        else:
            assert exchange(places[kind], evil)
        wait_until(lambda: front.logged("stay as they were"), "the complaint")
        assert front.logged(f"{places[kind].parent}: "), "the folder is named"
        with front.channel("nobody") as other:
            assert call(other, "ListImage") == Code.PERMISSION_DENIED
        assert call(channel, "ListImage") == Code.OK
    attack(f"another {kind} by a user who can write to its folder", "the old one stayed in use")


def test_no_policy_of_the_device_can_be_exchanged(docker_stack, tmp_path, shared, attack):
    """Neither the policy nor a key that it names."""
    keys = shared / "keys"
    keys.mkdir()
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key")
    openssl("ec", "-in", tmp_path / "key", "-pubout", "-out", keys / "cosign.pub")
    folder = shared / "policy"
    folder.mkdir()
    policy = folder / "policy.json"
    policy.write_text(json.dumps(
        {"signatures": [{"images": ["signed/*"], "keys": [str(keys / "cosign.pub")]}]}))

    def serve():
        return subprocess.run(
            [PROGRAMS / "cz-runtime", "serve", "--socket", tmp_path / "s", "--engine-socket",
             docker_stack.runtime_socket, "--state-dir", tmp_path / "state", "--policy", policy],
            capture_output=True, text=True, timeout=30)
    for opened in folder, keys:
        opened.chmod(0o777)
        done = serve()
        assert done.returncode == 1 and f"chmod o-w {opened}" in done.stderr, done.stderr
        opened.chmod(0o755)
    folder.chmod(0o777)
    check = subprocess.run([PROGRAMS / "cz-runtime", "policy", "check", "--policy", policy],
                           capture_output=True, text=True, timeout=30)
    assert check.returncode == 1 and f"chmod o-w {folder}" in check.stderr
    attack("a policy or signing key in a folder that others can write to", "it was not read")


@pytest.mark.parametrize("option, content", [
    ("--authfile", '{"auths": {}}'), ("--registries", '{}')])
def test_no_file_of_cz_pull_can_be_exchanged(shared, option, content):
    folder = shared / "configuration"
    folder.mkdir()
    file = folder / "file.json"
    file.write_text(content)
    file.chmod(0o600)
    folder.chmod(0o777)
    done = subprocess.run(
        [PROGRAMS / "cz-pull", option, file, "-o", "/dev/null", "localhost:1/x:1"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and f"chmod o-w {folder}" in done.stderr, done.stderr


def test_no_key_for_upgrades_can_be_exchanged(shared, tmp_path, attack):
    keys = shared / "upgrade-keys"
    keys.mkdir()
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key")
    openssl("ec", "-in", tmp_path / "key", "-pubout", "-out", keys / "owner.pem")
    control = tmp_path / "package/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: cz\nVersion: 99\nArchitecture: all\nSource: containerz\n"
                       "Maintainer: x <x@example.org>\nDescription: x\n")
    package = tmp_path / "cz_99_all.deb"
    subprocess.run(["dpkg-deb", "--build", control.parents[1], package], check=True,
                   capture_output=True)
    openssl("dgst", "-sha256", "-sign", tmp_path / "key", "-out", f"{package}.sig", package)

    def check(folder):
        done = subprocess.run([UPGRADE_PROGRAM, "check", package], capture_output=True, text=True,
                              env=os.environ | {"CONTAINERZ_UPGRADE_KEYS": str(folder)})
        return done.returncode, done.stderr
    assert check(keys)[0] == 0
    for folder in keys, shared:
        folder.chmod(0o777)
        code, text = check(keys)
        assert code == 8 and f"chmod o-w {folder}" in text, text
        folder.chmod(0o755)
        os.chown(folder, NOBODY, 0)
        code, text = check(keys)
        assert code == 8 and f"chown root {folder}" in text, text
        os.chown(folder, 0, 0)
    (shared / "open").mkdir()
    (shared / "open/link").symlink_to("../upgrade-keys")
    assert check(shared / "open/link")[0] == 0
    (shared / "open").chmod(0o777)
    code, text = check(shared / "open/link")
    assert code == 8 and f"chmod o-w {shared}/open" in text, text
    (keys / "owner.pem").chmod(0o666)
    assert check(keys)[0] == 8
    attack("an upgrade key in a folder that others can write to", "it did not count")


def test_a_shared_folder_with_the_sticky_bit_is_judged_by_owners(shared, attack):
    """As in /tmp: no other user can exchange what belongs to root there, but all can add names."""
    folder = shared / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    policy = folder / "authz.json"
    shutil.copy(AUTHZ_POLICY, policy)

    def check(path):
        done = subprocess.run([PROGRAMS / "containerzd", "authz", "check", "--policy", path],
                              capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr
    assert check(policy)[0] == 0
    assert not exchange(policy, AUTHZ_POLICY), "the sticky bit keeps others from it"
    link = folder / "link.json"
    link.symlink_to(policy)
    assert check(link)[0] == 0
    os.lchown(link, NOBODY, NOBODY)
    code, text = check(link)
    assert code == 1 and str(NOBODY) in text, text
    os.link(policy, folder / "second.json")
    code, text = check(folder / "second.json")
    assert code == 1 and "several names" in text, text
    attack("a link and a second name in a folder with the sticky bit", "they were not followed")


# --- What a reader sees ---


@pytest.fixture(scope="module", params=ENGINES)
def site(request, tmp_path_factory, certificates):
    """A device under a policy, whose clients have certificates or passwords."""
    need(request.param)
    folder = tmp_path_factory.mktemp(f"site-{request.param}")
    guarded = Guarded(request.param, engine_socket(request.param), folder)
    (folder / "binds").mkdir()
    guarded.rules = {
        "plugins": {"allow": True}, "networks": ["*"],
        "hostPaths": {"allow": [str(folder / "binds")], "deny": []},
        "capabilities": ["NET_BROADCAST", "CHOWN"]}
    with guarded.running(**guarded.rules) as running:
        stack = types.SimpleNamespace(certificates=certificates, runtime_socket=running.socket)
        with Front(stack, folder / "front", "--passwd-file", "PASSWORDS") as running.tls:
            yield running


@pytest.fixture
def image(site, tarball, unique):
    yield from pushed_image(site.device, tarball, unique)


@pytest.fixture
def foreign(site, image, unique):
    """A container of the operator's own, with secrets wherever there is room for them."""
    name = unique("foreign")
    created = request(site.engine.socket, "POST", f"/containers/create?name={name}", {
        "Image": site.engine.image_id(image), "Labels": {"token": SECRET},
        "Cmd": ["sh", "-c", f"echo {SECRET}; exec /bin/idle"], "Env": [f"TOKEN={SECRET}"]})
    request(site.engine.socket, "POST", f"/containers/{created['Id']}/start")
    yield name
    site.engine.remove(name)


def filtered(device, method, key, value):
    wanted = {"ListContainer": messages.ListContainerRequest, "ListVolume":
              messages.ListVolumeRequest}[method]
    options = {"all": True, "limit": 50} if method == "ListContainer" else {}
    return [found.name for found in getattr(device.stub, method)(wanted(
        filter=[{"key": key, "value": [value]}], **options), timeout=60)]


def test_a_foreign_container_s_log_is_not_shown(site, foreign, attack):
    for client in "reader", "client":
        with site.tls.channel(client) as channel:
            for follow in False, True:
                code, text = status_of(Device(channel).log, foreign, follow=follow)
                assert code is Code.PERMISSION_DENIED and SECRET not in text
    # Nor by its id, nor from a containerzd that was taken over.
    identifier = site.device.containers()[foreign].id
    for name in foreign, identifier:
        done = runtime_call(site.socket, "StreamLogs", json.dumps({"name": name}), "--more")
        assert done.returncode == 1 and "PermissionDenied" in done.stderr
        assert '"rule":"ownership"' in done.stderr.replace(" ", ""), done.stderr
        assert SECRET not in done.stdout
    attack("Log of a foreign container, by READ, WRITE and cz-runtime's socket", "no byte of it")
    site.set_policy(**site.rules, foreign=True)
    try:
        with site.tls.channel("reader") as channel:
            wait_until(lambda: SECRET in Device(channel).log_text(foreign), "the log, with foreign")
    finally:
        site.set_policy(**site.rules)


def test_a_foreign_container_s_labels_are_not_shown_to_readers(site, foreign, image, unique, attack):
    own = unique("own")
    site.device.start(image, own, labels={"token": "ours"})
    with site.tls.channel("reader") as channel:
        reader = Device(channel)
        listed = reader.containers()
        assert listed[foreign].id and not listed[foreign].labels
        assert listed[own].labels["token"] == "ours"
        assert SECRET not in str(listed)
        # Nor can they be guessed by filters.
        assert filtered(reader, "ListContainer", "label", f"token={SECRET}") == []
        assert filtered(reader, "ListContainer", "label", "token") == [own]
        assert foreign in filtered(reader, "ListContainer", "name", foreign)
    with site.tls.channel("client") as channel:
        writer = Device(channel)
        assert writer.containers()[foreign].labels["token"] == SECRET
        assert filtered(writer, "ListContainer", "label", f"token={SECRET}") == [foreign]
    attack("labels of a foreign container, listed and by filters", "none of them")
    # Without a policy all callers are the same.
    assert site.device.containers()[foreign].labels["token"] == SECRET
    site.device.remove(own)


def test_options_of_volumes_are_not_shown_to_readers(site, unique, attack):
    foreign, own = unique("volume"), unique("volume")
    source = site.folder / "binds" / unique("source")
    source.mkdir()
    request(site.engine.socket, "POST", "/volumes/create", {
        "Name": foreign, "Labels": {"token": SECRET}, "DriverOpts": {
            "type": "cifs", "device": "//files/share", "o": f"username=admin,password={SECRET}"}})
    site.device.create_volume(own, labels={"token": "ours"}, local_mount_options={
        "options": ["bind"], "mountpoint": str(source)})
    try:
        with site.tls.channel("reader") as channel:
            reader = Device(channel)
            listed = reader.volumes()
            assert SECRET not in str(listed) and str(source) not in str(listed)
            assert not listed[foreign].options and not listed[foreign].labels
            assert not listed[own].options and listed[own].labels["token"] == "ours"
            assert listed[own].driver == "local"
            assert filtered(reader, "ListVolume", "label", f"token={SECRET}") == []
            assert filtered(reader, "ListVolume", "label", "token") == [own]
        attack("a file server's password in a volume's options, by READ", "no option was listed")
        for device in writers(site):
            listed = device.volumes()
            assert SECRET in listed[foreign].options["o"]
            assert listed[own].options["device"] == str(source)
    finally:
        site.engine.remove_volume(foreign)
        site.device.remove_volume(own)


def writers(site):
    """Clients who may change volumes, and one where there is no policy."""
    with site.tls.channel("client") as channel:
        yield Device(channel)
    yield site.device


def test_an_operator_s_own_policy_decides_who_sees_options(site, unique):
    """The right to create volumes decides, not the name of the rule."""
    name = unique("volume")
    request(site.engine.socket, "POST", "/volumes/create", {
        "Name": name, "DriverOpts": {"type": "cifs", "device": "//f/s", "o": f"password={SECRET}"}})
    original = site.tls.policy.read_text()
    rules = json.loads(original)
    containerz = "/gnoi.containerz.Containerz"
    rules["allow_rules"] = [
        {"name": "storage", "source": {"principals": ["spiffe://lab.example/somebody"]},
         "request": {"paths": [f"{containerz}/ListVolume", f"{containerz}/CreateVolume"]}},
        {"name": "rest", "source": {"principals": ["*/containerz/write"]},
         "request": {"paths": [f"{containerz}/ListVolume", f"{containerz}/StartContainer"]}}]
    try:
        site.tls.policy.write_text(json.dumps(rules))
        with site.tls.channel("nobody") as channel:
            wait_until(lambda: call(channel, "ListVolume") == Code.OK, "the new policy")
            assert SECRET in str(Device(channel).volumes()[name])
        with site.tls.channel("client") as channel:
            assert SECRET not in str(Device(channel).volumes()[name])
    finally:
        site.tls.policy.write_text(original)
        with site.tls.channel("nobody") as channel:
            wait_until(lambda: call(channel, "ListVolume") == Code.PERMISSION_DENIED, "the old one")
        site.engine.remove_volume(name)


def test_configurations_of_plugins_are_not_shown_to_readers(site, tmp_path, unique, attack):
    if site.engine_name != "docker":
        pytest.skip("only Docker has plugins")
    name = unique("plugin")
    volume_plugin.build(tmp_path / "plugin")
    config = volume_plugin.CONFIG | {"env": [{"name": "TOKEN", "value": SECRET}]}
    site.device.push_plugin(archive(root((tmp_path / "plugin").read_bytes())), name)
    site.device.start_plugin(name, name, json.dumps(config))
    try:
        with site.tls.channel("reader") as channel:
            (listed,) = Device(channel).plugins(name).values()
            assert listed.id and listed.hash.hash and not listed.config
            assert SECRET not in str(Device(channel).plugins())
        attack("a plugin's environment, by READ", "no configuration was listed")
        for device in writers(site):
            assert SECRET in device.plugins(name)[f"{name}:latest"].config
    finally:
        site.device.stop_plugin(name)
        site.device.remove_plugin(name)
        site.device.remove_plugin_tar(name)


# --- What is written down ---


def inspect(site, name):
    return request(site.engine.socket, "GET", f"/containers/{name}/json")


def record_of(site, method, **fields):
    """The one audit record with these fields, once it is written."""
    wait_until(lambda: site.tls.records(method=method, **fields), f"the record of {method}")
    (record,) = site.tls.records(method=method, **fields)
    return record


def mounts_of(pid):
    """Where what is mounted in a process's own world comes from, by its place."""
    fields = (line.split() for line in
              pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines())
    return {field[4]: field[3] for field in fields}


def secretive(**fields):
    """A request's fields with secrets where users put them."""
    return fields | {"environment": {"TOKEN": SECRET}, "labels": {"token": SECRET},
                     "cmd": f"sh -c 'exec /bin/idle # {SECRET}'"}


def test_a_start_s_record_has_what_the_container_got(site, image, unique, attack):
    name, volume = unique("audited"), unique("volume")
    source = site.folder / "binds" / unique("a b")
    source.mkdir()
    site.device.create_volume(volume)
    port = free_port()
    with site.tls.channel("client") as channel:
        Device(channel).start(image, name, **secretive(
            volumes=[messages.Volume(name=str(source), mount_point="/in put", read_only=True),
                     messages.Volume(name=volume, mount_point="/data")],
            devices=[messages.Device(src_path="/dev/full", dst_path="/dev/full",
                                     permissions=["READ"])],
            cap=messages.StartContainerRequest.Capabilities(
                add=["NET_BROADCAST"], remove=["CHOWN"]),
            ports=[messages.StartContainerRequest.Port(internal=8080, external=port)],
            run_as=messages.StartContainerRequest.RunAs(user="1000", group="1000"),
            limits=messages.StartContainerRequest.Limits(max_cpu=0.5, hard_mem_bytes=64 << 20)))
    record = record_of(site, "StartContainer", instance=name)
    found = inspect(site, name)
    pid = found["State"]["Pid"]
    assert record["binds"] == [f"{source}:/in put:ro"]
    assert mounts_of(pid)["/in\\040put"].endswith(str(source).replace(" ", "\\040"))
    assert record["volumes"] == [f"{volume}:/data"] and "/data" in mounts_of(pid)
    assert record["devices"] == ["/dev/full:/dev/full:r"]
    assert record["cap_add"] == ["NET_BROADCAST"] and record["cap_drop"] == ["CHOWN"]
    bounding = int([line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                    if line.startswith("CapBnd")][0].split()[1], 16)
    # capabilities(7), linux/capability.h.
    for number, capability in (0, "CHOWN"), (11, "NET_BROADCAST"), (7, "SETUID"), (13, "NET_RAW"):
        assert bool(bounding >> number & 1) == (capability in record["capabilities"]), capability
    assert "NET_BROADCAST" in record["capabilities"] and "CHOWN" not in record["capabilities"]
    assert bounding.bit_count() == len(record["capabilities"])
    assert record["new_privileges"] is False
    assert record["ports"] == [f"{port}:8080"] and record["network"] == "bridge"
    assert record["user"] == "1000:1000"
    assert record["image"] == image
    assert record["image_id"].removeprefix("sha256:") == site.engine.image_id(image)
    # Numbers are numbers, and the time is a date with a zone.
    assert record["cpus"] == 0.5 and record["memory"] == 64 << 20
    assert record["tls"] is True and type(record["bytes_received"]) is int
    assert type(record["duration_ms"]) in (int, float)
    assert record["time"][10] == "T" and record["time"].endswith("Z") and len(record["time"]) == 24
    assert SECRET not in json.dumps(record)
    attack("a start with secrets in its environment, labels and command",
           "the record has what the kernel says, and no secret")
    site.device.remove(name)
    site.device.remove_volume(volume)


def test_an_update_s_record_has_what_the_new_container_got(site, image, tarball, unique):
    """Of what the request leaves out, too, which comes from the old container."""
    name, newer = unique("audited"), unique("newer")
    source = site.folder / "binds" / unique("kept")
    source.mkdir()
    site.device.push(tarball, newer, "2")
    device_options = secretive(
        volumes=[messages.Volume(name=str(source), mount_point="/kept")],
        cap=messages.StartContainerRequest.Capabilities(add=["NET_BROADCAST"]), network="none")
    with site.tls.channel("client") as channel:
        device = Device(channel)
        device.start(image, name, **device_options)
        device.update(name, f"{newer}:2", environment={"OTHER": SECRET})
        record = record_of(site, "UpdateContainer", target=f"{name} {newer}:2")
        assert record["binds"] == [f"{source}:/kept"] and record["network"] == "none"
        assert "NET_BROADCAST" in record["capabilities"] and record["async"] is False
        assert record["user"] == "root" and record["image"] == f"{newer}:2"
        assert record["image_id"].removeprefix("sha256:") == site.engine.image_id(f"{newer}:2")
        assert mounts_of(inspect(site, name)["State"]["Pid"])["/kept"].endswith(str(source))
        device.update(name, image, detach=True)
        wait_until(lambda: device.update_state(name) == "done", "the update")
        later = record_of(site, "UpdateContainer", target=f"{name} {image}")
        assert later["async"] is True and later["binds"] == [f"{source}:/kept"]
        assert later["capabilities"] == record["capabilities"]
        assert later["image_id"].removeprefix("sha256:") == site.engine.image_id(image)
        # A stopped one that is started by its name alone.
        device.stop(name)
        device.stub.StartContainer(
            messages.StartContainerRequest(instance_name=name), timeout=60)
        again = record_of(site, "StartContainer", target=name)
        assert again["binds"] == [f"{source}:/kept"] and again["network"] == "none"
        # And one that is started once more.
        device.stop(name, restart=True)
        restarted = record_of(site, "StopContainer", image=image)
        assert restarted["target"] == name and restarted["binds"] == [f"{source}:/kept"]
        assert restarted["capabilities"] == record["capabilities"]
        assert SECRET not in json.dumps([record, later, again, restarted])
        device.remove(name)
        device.remove_image(f"{newer}:2")


def test_a_refused_start_s_record_has_what_was_asked_for(site, image, unique):
    name = unique("refused")
    with site.tls.channel("client") as channel:
        code = code_of(Device(channel).start, image, name, **secretive(
            volumes=[messages.Volume(name="/etc", mount_point="/etc-of-the-device")]))
    assert code is Code.PERMISSION_DENIED
    record = record_of(site, "StartContainer", target=f"{name} {image}")
    assert record["binds"] == ["/etc:/etc-of-the-device"] and record["status"] == "permissionDenied"
    assert "image_id" not in record and SECRET not in json.dumps(record)


def test_a_push_s_record_has_the_archive_s_own_name(site, unique, tmp_path):
    name = unique("named")
    path = tmp_path / "image.tar"
    make_image = pathlib.Path(__file__).parents[1] / "Support/make_image.py"
    subprocess.run(["python3", make_image, "-o", path, "--tag", f"{name}:7"], check=True)
    with site.tls.channel("client") as channel:
        Device(channel).push(path.read_bytes())
    record = record_of(site, "Deploy", target=f"{name}:7")
    assert record["image_id"].removeprefix("sha256:") == site.engine.image_id(f"{name}:7")
    site.device.remove_image(f"{name}:7")


def test_a_volume_s_record_has_the_directory_and_no_password(site, unique):
    name = unique("volume")
    source = site.folder / "binds" / unique("source")
    source.mkdir()
    with site.tls.channel("client") as channel:
        device = Device(channel)
        device.create_volume(name, local_mount_options={
            "options": ["bind"], "mountpoint": str(source)}, labels={"token": SECRET})
        code_of(device.create_volume, unique("volume"), driver="DS_CUSTOM", custom_options={
            "options": {"driver": "none", "password": SECRET}})
    record = record_of(site, "CreateVolume", target=name)
    assert record["driver"] == "local" and record["source"] == str(source)
    assert SECRET not in site.tls.daemon.text()
    site.device.remove_volume(name)


def test_lists_cannot_forge_a_line_of_the_log(
        docker_stack, tmp_path, docker_image, unique, attack):
    """Neither a line nor a field: each value is where its key is, and reads as it was."""
    front = Front(docker_stack, tmp_path / "front")
    front.arguments[front.arguments.index("json")] = "text"
    point = 'x" decision=allowed status=ok principal="root\ncontainerzd-audit: rpc status=ok'
    with front, front.channel("client") as channel:
        code_of(Device(channel).start, docker_image, unique("forger"), volumes=[
            messages.Volume(name="/no such", mount_point=f"/{point}"),
            messages.Volume(name="/other", mount_point="/p lain")])
        lines = wait_until(lambda: [line for line in front.daemon.text().splitlines()
                                    if "containerzd-audit: rpc" in line], "the record")
    (line,) = lines
    assert line.startswith("containerzd-audit: rpc ")
    # As a shell reads it, whose quotes these are: backslashes stand for themselves but before
    # quotes and backslashes.
    fields = shlex.split(line.removeprefix("containerzd-audit: rpc "))
    assert all("=" in field for field in fields), fields
    values = [field.partition("=") for field in fields]
    keys = [key for key, _, _ in values]
    for key in "decision", "status", "principal", "time":
        assert keys.count(key) == 1, keys
    binds = [value for key, _, value in values if key == "binds"]
    assert binds == ["/no such:/" + point.replace("\n", "\\n"), "/other:/p lain"]
    attack("a mount point that looks like fields of a record", "one value of one field")


# --- Sockets ---


def test_the_group_of_containerzd_does_not_reach_the_runtime(tmp_path, shared, attack):
    """On a device whose groups are those of the packages: by its own groups file, in a mount
    namespace of its own."""
    containerz, runtime = 47120, 47121
    groups = tmp_path / "group"
    groups.write_text(pathlib.Path("/etc/group").read_text()
                      + f"containerz:x:{containerz}:\ncontainerz-runtime:x:{runtime}:\n")
    groups.chmod(0o644)
    socket = shared / "runtime.sock"
    script = f'mount --bind {groups} /etc/group && exec "$@"'
    with Daemon("cz-runtime", "serve", "--socket", socket, "--engine-socket", shared / "none",
                "--state-dir", tmp_path / "state",
                prefix=["unshare", "--mount", "sh", "-c", script, "sh"]):
        status = socket.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, runtime, 0o660)

        def connect(*groups):
            return subprocess.run(
                ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                 f"--groups={','.join(map(str, groups))}", "/usr/bin/python3", "-c",
                 f"import socket; socket.socket(socket.AF_UNIX).connect({str(socket)!r})"],
                capture_output=True, text=True, timeout=30).returncode
        assert connect(containerz) != 0
        attack("cz-runtime's socket by a member of the group containerz", "no connection")
        assert connect(containerz, runtime) == 0
