"""Who may call what: every RPC by every kind of peer, and files that change meanwhile."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import grpc
import pytest
from google.protobuf import descriptor_pb2

import gnoi
from gnoi import DEADLINE, SERVICE, Code, Device, StartRequest, code_of, messages, status_of
from harness import AUTHZ_POLICY, DESCRIPTORS, PROGRAMS, Daemon, free_port, wait_until
from pki import openssl

READ = ["ListImage", "ListContainer", "ListVolume", "ListPlugins", "Log"]
WRITE = READ + [
    "Deploy", "RemoveImage", "StartContainer", "StopContainer", "RemoveContainer",
    "UpdateContainer", "CreateVolume", "RemoveVolume", "StartPlugin", "StopPlugin",
    "RemovePlugin", "RemovePluginTar", "/gnoi.system.System/SetPackage"]
# Of both scopes.
BESIDE = [
    "/containerz.upgrade.v1.Upgrades/Watch",
    "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List", "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
UPGRADE_PROGRAM = pathlib.Path(__file__).parents[2] / "packaging/upgrade/containerz-upgrade"
REFUSED = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)


def hashed(password):
    return openssl("passwd", "-6", password).decode().strip()


def policy(extra=()):
    """The shipped policy, with some people more and one rule that denies."""
    shipped = json.loads(AUTHZ_POLICY.read_text())
    read, write = shipped["allow_rules"]
    read["source"]["principals"].append("user:alice")
    write["source"]["principals"] += ["user:bob", *extra]
    shipped["deny_rules"] = [{
        "name": "SUSPENDED", "source": {"principals": ["spiffe://lab.example/suspended/*"]}}]
    return json.dumps(shipped)


class Front:
    """A containerzd with mutual TLS or passwords, and a unix socket."""

    def __init__(self, stack, folder, *arguments, with_client_ca=True):
        folder.mkdir(exist_ok=True)
        self.certificates = stack.certificates
        self.port, self.socket = free_port(), folder / "front.sock"
        self.policy = folder / "authz.json"
        self.policy.write_text(policy())
        self.passwords = folder / "passwd"
        self.passwords.touch(mode=0o600)
        self.passwords.write_text(f"alice:{hashed('wonder')}\nbob:{hashed('builder')}\n")
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        shutil.copy(self.certificates.server[0], self.certificate)
        shutil.copy(self.certificates.server[1], self.key)
        self.key.chmod(0o600)
        authority = ["--client-ca", self.certificates.authority.certificate, "--crl",
                     self.certificates.revocations] if with_client_ca else []
        self.arguments = [
            "containerzd", "--listen", f"127.0.0.1:{self.port}", "--listen",
            f"unix:{self.socket}", "--runtime-socket", stack.runtime_socket, "--authz-policy",
            self.policy, "--tls-cert", self.certificate, "--tls-key", self.key,
            "--log-format", "json", "--plugin-dir", folder / "plugins",
            "--upgrade-program", UPGRADE_PROGRAM, "--upgrade-dir", folder / "upgrade", *authority,
            *[self.passwords if argument == "PASSWORDS" else argument for argument in arguments]]

    def __enter__(self):
        self.daemon = Daemon(*self.arguments)
        return self

    def __exit__(self, *exception):
        self.daemon.__exit__(*exception)

    def channel(self, client=None):
        return gnoi.secure_channel(self.port, self.certificates.authority,
                                   client and getattr(self.certificates, client))

    def records(self, **fields):
        """The audit records that have these fields."""
        records = []
        for line in self.daemon.text().splitlines():
            record = json.loads(line)
            if record["program"] == "containerzd-audit" and fields.items() <= record.items():
                records.append(record)
        return records

    def logged(self, text):
        return any(text in line for line in self.daemon.text().splitlines())


@pytest.fixture(scope="module")
def mutual(docker_stack, tmp_path_factory):
    """Clients need certificates."""
    with Front(docker_stack, tmp_path_factory.mktemp("mutual")) as front:
        yield front


@pytest.fixture(scope="module")
def either(docker_stack, tmp_path_factory):
    """Clients may show a certificate or give a password."""
    with Front(docker_stack, tmp_path_factory.mktemp("either"), "--passwd-file",
               "PASSWORDS") as front:
        yield front


def login(name, password):
    return [("username", name), ("password", password)]


def path_of(method):
    return method if method.startswith("/") else f"{SERVICE}/{method}"


def call(channel, method, metadata=None):
    """Calls a method, of Containerz or by its path, with an empty request; the status code."""
    action = channel.stream_stream(path_of(method))
    if method.endswith("/Watch"):
        # It goes on for ever; its first answer is enough.
        def action(*arguments, watch=action, **keywords):
            answers = watch(*arguments, **keywords)
            next(answers)
            answers.cancel()
    return code_of(action, iter([b""]), metadata=metadata, timeout=DEADLINE)


PEERS = {
    # peer: front, certificate, metadata, what it may call, and what it hears otherwise
    "no certificate": ("mutual", None, None, [], Code.UNAVAILABLE),
    "expired": ("mutual", "expired_client", None, [], Code.UNAVAILABLE),
    "wrong CA": ("mutual", "foreign_client", None, [], Code.UNAVAILABLE),
    "revoked": ("mutual", "revoked_client", None, [], Code.UNAVAILABLE),
    "READ": ("mutual", "reader", None, READ, Code.PERMISSION_DENIED),
    "WRITE": ("mutual", "client", None, WRITE, None),
    "no rule": ("mutual", "nobody", None, [], Code.PERMISSION_DENIED),
    "denied": ("mutual", "denied", None, [], Code.PERMISSION_DENIED),
    "password without a file": (
        "mutual", "reader", login("bob", "builder"), READ, Code.PERMISSION_DENIED),
    "nothing": ("either", None, None, [], Code.UNAUTHENTICATED),
    "READ by password": ("either", None, login("alice", "wonder"), READ, Code.PERMISSION_DENIED),
    "WRITE by password": ("either", None, login("bob", "builder"), WRITE, None),
    "WRITE by certificate": ("either", "client", None, WRITE, None),
    "expired beside passwords": ("either", "expired_client", None, [], Code.UNAVAILABLE),
    "revoked beside passwords": ("either", "revoked_client", None, [], Code.UNAVAILABLE),
    "a certificate does not stand in for a wrong password": (
        "either", "client", login("bob", ""), [], Code.UNAUTHENTICATED),
}


@pytest.mark.parametrize("peer", PEERS)
def test_every_rpc(peer, mutual, either):
    front, certificate, metadata, allowed, otherwise = PEERS[peer]
    front = {"mutual": mutual, "either": either}[front]
    if metadata and metadata[1][1] == "":
        # Wrong ones are slowed down; what is tried is one login, which is enough to tell.
        methods = ["ListImage", "Deploy"]
    else:
        methods = WRITE + BESIDE
    allowed = allowed and allowed + BESIDE
    with front.channel(certificate) as channel:
        for method in methods:
            code = call(channel, method, metadata)
            if method in allowed:
                assert code not in (*REFUSED, Code.UNAVAILABLE, Code.UNIMPLEMENTED), method
            else:
                assert code == otherwise, method


@pytest.mark.parametrize("name", ["unix:root", "user:bob"])
def test_a_certificate_gives_nobody_s_account(mutual, name):
    kind = name.replace(":", "-")
    mutual.certificates.forged = mutual.certificates.authority.issue(
        f"forged-{kind}", f"URI:{name}", "clientAuth")
    with mutual.channel("forged") as channel:
        assert call(channel, "ListImage") == Code.UNAUTHENTICATED


def test_the_table_has_every_rpc(mutual):
    described = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    served = [f"/{file.package}.{service.name}/{method.name}" for file in described.file
              for service in file.service for method in service.method]
    assert sorted(served) == sorted([path_of(method) for method in WRITE + BESIDE])


def test_a_unix_peer_is_its_user(mutual):
    with grpc.insecure_channel(f"unix:{mutual.socket}") as channel:
        for method in WRITE + BESIDE:
            assert call(channel, method) not in REFUSED, method
    assert mutual.records(principal="unix:root", authentication="unix", decision="allowed")
    # Somebody else, whom no rule names.
    mutual.socket.chmod(0o666)
    folder = mutual.socket.parent
    while folder != folder.parent:
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    done = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", PROGRAMS / "cz",
         "--target", f"unix:{mutual.socket}", "image", "list"], capture_output=True, text=True)
    assert done.returncode == 77, done.stderr
    assert "unix:nobody may not call ListImage" in done.stderr


def test_refused_before_anything_is_sent(mutual):
    """A client that has not sent its first message yet is refused all the same."""
    with mutual.channel("reader") as channel:
        done = threading.Event()

        def requests():
            done.wait(DEADLINE)
            yield from ()
        deploy = channel.stream_stream(f"{SERVICE}/Deploy")(requests(), timeout=DEADLINE)
        with pytest.raises(grpc.RpcError) as failure:
            next(deploy)
        assert failure.value.code() == Code.PERMISSION_DENIED
        done.set()


def test_guessing_is_slowed_down(docker_stack, tmp_path):
    with (Front(docker_stack, tmp_path / "front", "--passwd-file", "PASSWORDS",
                with_client_ca=False) as front, front.channel() as channel):
        assert call(channel, "ListImage", login("alice", "wonder")) == Code.OK
        for name in "bob", "mallory":
            texts = []
            for _ in range(6):
                code, text = status_of(
                    channel.stream_stream(f"{SERVICE}/ListImage"), iter([b""]),
                    metadata=login(name, "conjecture"), timeout=DEADLINE)
                assert code == Code.UNAUTHENTICATED
                texts.append(text)
            # The same for a name that is there and one that is not.
            assert set(texts[:5]) == {"the username or the password is wrong"}
            assert texts[5].startswith("too many failed logins: try again in ")
            if name == "bob":
                # The right one has to wait as well; somebody else does not.
                assert call(channel, "ListImage", login(name, "builder")) == Code.UNAUTHENTICATED
        assert call(channel, "ListImage", login("alice", "wonder")) == Code.OK
        for metadata in (login("alice", "x" * 5000), [("username", "alice")],
                         [("password", "wonder")], login("", "wonder"),
                         login("alice", "wonder") + login("bob", "builder")):
            assert call(channel, "ListImage", metadata) == Code.UNAUTHENTICATED
        assert not front.logged("conjecture") and not front.logged("wonder")


# --- Files that change ---


def test_a_policy_that_changes(docker_stack, tmp_path):
    with (Front(docker_stack, tmp_path / "front") as front, front.channel("nobody") as channel):
        assert call(channel, "ListImage") == Code.PERMISSION_DENIED
        extended = policy(["spiffe://lab.example/somebody"])
        replacement = tmp_path / "new.json"
        replacement.write_text(extended)
        replacement.rename(front.policy)
        wait_until(lambda: call(channel, "ListImage") == Code.OK, "the new policy")
        front.policy.write_text(extended[:-20])
        wait_until(lambda: front.logged("stay as they were"), "the complaint")
        assert front.logged("authz.json: it is not JSON")
        assert call(channel, "ListImage") == Code.OK
        front.policy.write_text(policy())
        wait_until(lambda: call(channel, "ListImage") == Code.PERMISSION_DENIED, "the old one")
        front.policy.chmod(0o666)
        front.daemon.process.send_signal(1)
        wait_until(lambda: front.logged("chmod o-w"), "the complaint about the mode")


def test_passwords_that_change(docker_stack, tmp_path):
    with (Front(docker_stack, tmp_path / "front", "--passwd-file", "PASSWORDS",
                with_client_ca=False) as front, front.channel() as channel):
        assert call(channel, "ListImage", login("alice", "wonder")) == Code.OK
        front.passwords.write_text(f"alice:{hashed('changed')}\n")
        wait_until(lambda: call(channel, "ListImage", login("alice", "changed")) == Code.OK,
                   "the new password")
        # What was remembered of the old one is forgotten.
        assert call(channel, "ListImage", login("alice", "wonder")) == Code.UNAUTHENTICATED


def test_certificates_that_change_drop_no_stream(docker_stack, docker_image, tmp_path, unique):
    name = unique("talker")
    with Front(docker_stack, tmp_path / "front") as front:
        with front.channel("client") as channel:
            device = Device(channel)
            device.start(docker_image, name,
                         cmd="sh -c 'while true; do echo still here; sleep 0.1; done'")
            log = device.log(name, follow=True)
            next(log)
            certificate, key = front.certificates.authority.issue(
                "renewed", "DNS:localhost,IP:127.0.0.1", "serverAuth")
            # One after the other, as tools do it.
            shutil.copy(certificate, front.certificate)
            shutil.copy(key, front.key)

            def presented():
                pem = subprocess.run(
                    ["openssl", "s_client", "-connect", f"localhost:{front.port}", "-showcerts"],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace").stdout
                return "CN = renewed" in pem or "CN=renewed" in pem
            wait_until(presented, "the new certificate")
            for _ in range(5):
                next(log)
            with front.channel("client") as other:
                assert call(other, "ListImage") == Code.OK
            # A wrong one changes nothing.
            front.key.write_text("rubbish")
            wait_until(lambda: front.logged("no key in it"), "the complaint")
            with front.channel("client") as other:
                assert call(other, "ListImage") == Code.OK
            next(log)
            log.cancel()
            device.remove(name)


def test_a_certificate_that_is_revoked_meanwhile(docker_stack, tmp_path):
    front = Front(docker_stack, tmp_path / "front")
    revocations = tmp_path / "crl.pem"
    authority = front.certificates.authority
    shutil.copy(authority.revoke(front.certificates.foreign_client[0]), revocations)
    front.arguments[front.arguments.index("--crl") + 1] = revocations
    with front:
        old = front.channel("revoked_client")
        assert call(old, "ListImage") == Code.OK
        shutil.copy(authority.revoke(front.certificates.revoked_client[0]), revocations)

        def is_refused():
            with front.channel("revoked_client") as channel:
                return call(channel, "ListImage") == Code.UNAVAILABLE
        wait_until(is_refused, "the list to be read")
        # The connection that was there already, too.
        wait_until(lambda: call(old, "ListImage") == Code.UNAVAILABLE, "the old connection's end")
        old.close()
        with front.channel("client") as channel:
            assert call(channel, "ListImage") == Code.OK


def test_a_list_of_revoked_that_expires_is_told_of(docker_stack, tmp_path):
    front = Front(docker_stack, tmp_path / "front")
    authority, revoked = front.certificates.authority, front.certificates.revoked_client[0]
    revocations, new = tmp_path / "crl.pem", tmp_path / "new.pem"
    authority.revoke(revoked, into=revocations)
    front.arguments[front.arguments.index("--crl") + 1] = revocations
    with front:
        assert not front.logged("expires soon") and not front.logged("has expired")
        authority.revoke(revoked, "-crlhours", "2", into=new).rename(revocations)
        wait_until(lambda: front.logged("expires soon"), "the reminder")
        authority.revoke(revoked, "-crl_lastupdate", "20260101000000Z", "-crl_nextupdate",
                         "20260102000000Z", into=new).rename(revocations)
        wait_until(lambda: front.logged("has expired"), "the complaint")
        with front.channel("client") as channel:
            assert call(channel, "ListImage") == Code.UNAVAILABLE


def test_handshakes_under_way_do_not_end_by_old_rules(docker_stack, tmp_path):
    with (Front(docker_stack, tmp_path / "front", "--handshake-timeout", "3600") as front,
          socket.create_connection(("localhost", front.port), DEADLINE) as peer):
        # The other socket tells when this one has been accepted.
        with front.channel("client") as channel:
            assert call(channel, "ListImage") == Code.OK
        front.daemon.process.send_signal(1)
        assert peer.recv(1) == b""
        with front.channel("client") as channel:
            assert call(channel, "ListImage") == Code.OK


# --- What is refused at the start ---


@pytest.mark.parametrize("change, message", [
    (lambda front: front.key.chmod(0o644), "server.key: everybody may read it: chmod o-r"),
    (lambda front: front.certificate.chmod(0o666), "server.pem: everybody may write to it"),
    (lambda front: front.policy.chmod(0o666), "authz.json: everybody may write to it"),
    (lambda front: front.policy.write_text("{}"), "authz.json: name is missing"),
    (lambda front: front.policy.unlink(), "authz.json: No such file or directory"),
    (lambda front: os.chown(front.policy, 65534, 0), "it belongs to user 65534"),
    (lambda front: front.passwords.chmod(0o604), "passwd: everybody may read it"),
    (lambda front: front.passwords.write_text("alice:wonder\n"), "passwd: line 1: the hash is"),
    (lambda front: subprocess.run(
        ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", front.key, "-out",
         front.key], check=True, capture_output=True), "without a passphrase"),
])
def test_files_that_cannot_be_trusted(docker_stack, tmp_path, change, message):
    front = Front(docker_stack, tmp_path / "front", "--passwd-file", "PASSWORDS")
    change(front)
    done = subprocess.run([PROGRAMS / front.arguments[0], *map(str, front.arguments[1:])],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert message in done.stderr and "wonder" not in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--tls-cert", "x"], ["--tls-cert", "x", "--tls-key", "y"], ["--client-ca", "x"],
    ["--insecure", "--tls-cert", "x", "--tls-key", "y", "--client-ca", "z"],
    ["--tls-min-version", "1.1"], ["--insecure", "--passwd-file", "x"], ["--crl", "x"]])
def test_options_that_do_not_go_together(arguments):
    done = subprocess.run([PROGRAMS / "containerzd", *arguments], capture_output=True, timeout=30)
    assert done.returncode == 64


def test_no_session_is_given_out_that_would_not_be_taken_back(docker_stack, tmp_path):
    with Front(docker_stack, tmp_path / "front") as front:
        certificate, key = front.certificates.client
        session = tmp_path / "session"
        output = subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{front.port}", "-tls1_2", "-alpn",
             "h2", "-cert", certificate, "-key", key, "-sess_out", session],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace").stdout
        assert "ALPN protocol: h2" in output and "session ticket" not in output
        assert not session.exists()


def test_an_old_version_of_tls_is_refused(docker_stack, tmp_path):
    with Front(docker_stack, tmp_path / "front", "--tls-min-version", "1.3") as front:
        certificate, key = front.certificates.client

        def version(option):
            return subprocess.run(
                ["openssl", "s_client", "-connect", f"localhost:{front.port}", option, "-alpn",
                 "h2", "-cert", certificate, "-key", key], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace").stdout
        assert "Cipher is (NONE)" in version("-tls1_2")
        assert "TLSv1.3" in version("-tls1_3")


# --- authz check ---


@pytest.mark.parametrize("principal, method, code, text", [
    ("spiffe://x/containerz/read", "ListImage", 0, "allowed by rule 'READ'"),
    ("spiffe://x/containerz/read", "Deploy", 77, "denied: no rule allows it"),
    ("spiffe://x/containerz/write", f"{SERVICE}/Deploy", 0, "allowed by rule 'WRITE'"),
    ("unix:root", "Deploy", 0, "allowed by rule 'WRITE'"),
    ("unix:nobody", "ListImage", 77, "denied: no rule allows it"),
    ("spiffe://x/containerz/write", "/other.Service/Deploy", 77, "denied: no rule allows it"),
])
def test_authz_check(principal, method, code, text):
    done = subprocess.run(
        [PROGRAMS / "containerzd", "authz", "check", "--policy", AUTHZ_POLICY, "--principal",
         principal, "--method", method], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (code, text + "\n"), done.stderr


def test_authz_check_of_a_policy_alone(tmp_path):
    def check(path):
        return subprocess.run([PROGRAMS / "containerzd", "authz", "check", "--policy", path],
                              capture_output=True, text=True, timeout=30)
    done = check(AUTHZ_POLICY)
    assert done.returncode == 0 and "is sound" in done.stdout
    (tmp_path / "bad.json").write_text('{"name": "x", "allow_rules": [{"name": "a", "who": 1}]}')
    done = check(tmp_path / "bad.json")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f"containerzd: authz check: {tmp_path}/bad.json: allow_rules[0].who is not known\n")


# --- Audit ---


def test_one_record_for_each_rpc(mutual, docker_image, unique):
    name = unique("audited")
    repository, _, tag = docker_image.rpartition(":")
    with mutual.channel("client") as channel:
        device = Device(channel)
        device.start(docker_image, name)
        assert code_of(device.start, docker_image, name) == Code.ALREADY_EXISTS
        device.remove(name)
    with mutual.channel("reader") as channel:
        assert code_of(Device(channel).remove, name) == Code.PERMISSION_DENIED
    started, again = mutual.records(method="StartContainer", target=f"{name} {docker_image}")
    assert started["principal"] == "spiffe://lab.example/containerz/write"
    assert started["authentication"] == "certificate" and started["rule"] == "WRITE"
    assert (started["decision"], started["status"]) == ("allowed", "ok")
    assert started["service"] == "gnoi.containerz.Containerz"
    assert started["peer"].startswith("ipv4:127.0.0.1:") and str(mutual.port) in started["local"]
    request = StartRequest(image_name=repository, tag=tag, instance_name=name)
    assert int(started["bytes_received"]) == request.ByteSize()
    assert int(started["bytes_sent"]) > 0 and float(started["duration_ms"]) > 0
    assert again["status"] == "alreadyExists" and name in again["detail"]
    (refused,) = mutual.records(method="RemoveContainer", decision="denied")[-1:]
    assert refused["principal"] == "spiffe://lab.example/containerz/read"
    assert refused["status"] == "permissionDenied" and "target" not in refused


def test_broken_and_unknown_rpcs_have_records(mutual, tarball, unique):
    name = unique("broken")
    channel = mutual.channel("client")
    with Device(channel).deploy() as deploy:
        deploy.transfer(name, "1", len(tarball))
        deploy.ready()
        deploy.content(tarball[:2000])
        deploy.progress()
        channel.close()
    wait_until(lambda: mutual.records(method="Deploy", target=f"{name}:1"), "the record")
    (record,) = mutual.records(method="Deploy", target=f"{name}:1")
    assert record["status"] == "cancelled" and record["decision"] == "allowed"
    assert int(record["bytes_received"]) > 1000
    with mutual.channel("client") as channel:
        assert call(channel, "NoSuchMethod") == Code.UNIMPLEMENTED
    (record,) = mutual.records(method="NoSuchMethod")
    assert (record["status"], record["decision"]) == ("unimplemented", "none")


def test_names_cannot_forge_a_line_of_the_log(docker_stack, tmp_path):
    front = Front(docker_stack, tmp_path / "front")
    front.arguments[front.arguments.index("json")] = "text"
    with front, front.channel("client") as channel:
        forged = "x\ncontainerzd-audit: rpc decision=allowed"
        code_of(Device(channel).remove, forged)
        lines = front.daemon.text().splitlines()
        assert not [line for line in lines if line.startswith("containerzd-audit: rpc decision=allowed")]
        assert [line for line in lines if "x\\ncontainerzd-audit" in line]


def test_no_secret_is_written_down(docker_stack, docker_image, tmp_path, unique):
    secrets = ["pa55-in-metadata", "s3cret-environment", "dr1ver-option"]
    name = unique("secret")
    with (Front(docker_stack, tmp_path / "front", "--passwd-file", "PASSWORDS") as front):
        front.passwords.write_text(f"bob:{hashed(secrets[0])}\n")
        with front.channel() as channel:
            metadata = login("bob", secrets[0])
            wait_until(lambda: call(channel, "ListImage", metadata) == Code.OK, "the password")
            repository, _, tag = docker_image.rpartition(":")
            stub = Device(channel).stub
            stub.StartContainer(StartRequest(
                image_name=repository, tag=tag, instance_name=name,
                environment={"TOKEN": secrets[1]}), metadata=metadata, timeout=DEADLINE)
            refusals = [
                status_of(stub.StartContainer, StartRequest(
                    image_name=repository, tag=tag, instance_name=name,
                    environment={"TOKEN": secrets[1]}), metadata=metadata, timeout=DEADLINE),
                status_of(stub.CreateVolume, messages.CreateVolumeRequest(
                    name=name, driver="DS_CUSTOM", custom_options={
                        "options": {"driver": "none", "password": secrets[2]}}),
                    metadata=metadata, timeout=DEADLINE),
                status_of(stub.ListImage, messages.ListImageRequest(),
                          metadata=login("bob", secrets[2]), timeout=DEADLINE)]
            stub.RemoveContainer(messages.RemoveContainerRequest(name=name, force=True),
                                 metadata=metadata, timeout=DEADLINE)
        daemons = [front.daemon, docker_stack.runtime]
        seen = [text for _, text in refusals] + [daemon.text() for daemon in daemons]
        for daemon in daemons:
            for file in "cmdline", "environ", "comm":
                with open(f"/proc/{daemon.pid}/{file}", "rb") as content:
                    seen.append(content.read().decode(errors="replace"))
        for secret in secrets:
            assert not [text for text in seen if secret in text], secret


def test_records_in_the_journal_s_own_fields(docker_stack, tmp_path):
    """A socket in the journal's place takes what would be written there."""

    os.makedirs("/run/systemd/journal", exist_ok=True)
    front = Front(docker_stack, tmp_path / "front")
    front.arguments[front.arguments.index("json")] = "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind("/run/systemd/journal/socket")
        journal.settimeout(DEADLINE)
        try:
            with front, front.channel("client") as channel:
                assert call(channel, "ListImage") == Code.OK
                while b"containerzd-audit" not in (record := journal.recv(65536)):
                    pass
                fields = {}
                while record:
                    name, _, record = record.partition(b"\n")
                    size = int.from_bytes(record[:8], "little")
                    fields[name.decode()] = record[8:8 + size].decode()
                    record = record[8 + size + 1:]
                assert fields["CONTAINERZ_METHOD"] == "ListImage"
                assert fields["CONTAINERZ_PRINCIPAL"] == "spiffe://lab.example/containerz/write"
                assert fields["CONTAINERZ_DECISION"] == "allowed"
        finally:
            os.unlink("/run/systemd/journal/socket")
