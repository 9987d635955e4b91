"""cz with several devices, and devices that a test holds in its hands."""

import contextlib
import json
import os
import subprocess
import tempfile
import threading

from fake_runtime import Failure, FakeRuntime
from harness import AUTHZ_POLICY, PATIENCE, PROGRAMS, Daemon, free_port, wait_until

# What a workstation may have set is no part of a test.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("CZ_")}


class Running:
    """A cz that runs; its standard error can be read meanwhile."""

    def __init__(self, *arguments, environment=None, input=None, ignored="PIPE", **options):
        # Shells have what they start in the background ignore SIGINT, and tests may be there.
        signals = ["env", "--default-signal=INT,HUP", f"--ignore-signal={ignored}"]
        self.output, self.errors = tempfile.TemporaryFile(), tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(
            [*signals, PROGRAMS / "cz", *map(str, arguments)], stdout=self.output, stderr=self.errors,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            env=ENVIRONMENT | (environment or {}), **options)
        self.peak = 0
        if input is not None:
            self.process.stdin.write(input)
            self.process.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def stderr(self):
        with open(self.errors.name) as errors:
            return errors.read()

    @property
    def stdout(self):
        self.output.seek(0)
        return self.output.read().decode()

    def says(self, text):
        wait_until(lambda: text in self.stderr, f"'{text}'")

    def ends(self, code, patience=PATIENCE):
        """Waits until it does, and looks at the most memory it had; its standard error."""
        def ended():
            with contextlib.suppress(OSError, ValueError):
                with open(f"/proc/{self.process.pid}/status") as status:
                    sizes = [line.split()[1] for line in status if line.startswith("VmHWM:")]
                    self.peak = max([self.peak] + [int(size) * 1024 for size in sizes])
            return self.process.poll() is not None
        wait_until(ended, "cz to end", patience)
        self.returncode = self.process.returncode
        assert self.returncode == code, f"{self.returncode}: {self.stderr[-4000:]}"
        return self.stderr


def run_cz(*arguments, code=0, timeout=60, **options):
    """A cz that has ended: stdout, stderr, and the most memory it had, peak, in bytes."""
    with Running(*arguments, **options) as running:
        running.ends(code, timeout)
    return running


def outcomes(done):
    """What became of each device, by what --json says."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["target"]: line["outcome"] for line in lines if "outcome" in line}


class HeldDevice(FakeRuntime):
    """A device of its own, whose methods can be held and made to fail."""

    def __init__(self, folder, name, stack):
        self.name = name
        self.address = f"127.0.0.1:{free_port()}"
        self.failures, self.held = {}, None
        self.arrived, self.gate = threading.Event(), threading.Event()
        super().__init__(folder / f"{name}.sock", self.obey)
        stack.enter_context(self)
        stack.enter_context(Daemon("containerzd", "--insecure", "--listen", self.address,
                                   "--runtime-socket", self.path))

    def obey(self, method, _):
        if method == self.held:
            self.arrived.set()
            self.gate.wait(PATIENCE)
        if self.failures.get(method):
            raise self.failures[method]

    def fail(self, method, failure):
        self.failures[method] = failure

    def hold(self, method):
        self.held = method

    def wait_until_held(self):
        assert self.arrived.wait(PATIENCE)

    def release(self):
        self.gate.set()


class Fleet:
    """A few devices, d0 and so on, and the file that lists them."""

    def __init__(self, folder, count):
        self.folder, self.count = folder, count
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.devices = [HeldDevice(self.folder, f"d{number}", self.stack)
                        for number in range(self.count)]
        self.file = self.folder / "targets"
        self.file.write_text("".join(
            f"{device.address} name={device.name}\n" for device in self.devices))
        return self

    def __exit__(self, *details):
        for device in self.devices:
            device.release()
        return self.stack.__exit__(*details)

    def __getitem__(self, index):
        return self.devices[index]

    def __iter__(self):
        return iter(self.devices)

    def arguments(self, command):
        return ["--insecure", "--targets-file", self.file, *command]

    def run(self, *command, **options):
        return run_cz(*self.arguments(command), **options)

    def start(self, *command, **options):
        return Running(*self.arguments(command), **options)


# Devices that take an image and start it, and those that do not for a reason of their own.
KINDS = {"good": 64, "slow": 32, "full": 204, "dead": 400, "untrusted": 100, "refusing": 100,
         "readonly": 100}
# A device takes so many images at a time.
TAKERS = 16


class Thousand:
    """A thousand addresses of a few processes."""

    def __init__(self, folder, certificates, stack, kinds=KINDS):
        self.port = free_port()
        self.hosts = {}
        authority = certificates.authority
        foreign = certificates.other_authority.issue(
            "foreign-server", "DNS:localhost", "serverAuth")
        policy = json.loads(AUTHZ_POLICY.read_text())
        policy["allow_rules"] = [rule for rule in policy["allow_rules"] if rule["name"] == "READ"]
        policy["allow_rules"][0]["source"]["principals"] = ["*"]
        readonly = folder / "readonly.json"
        readonly.write_text(json.dumps(policy))

        def serve(kind, hosts, before=lambda *_: None, free=1 << 40, tls=certificates.server,
                  client_ca=authority, authz=AUTHZ_POLICY):
            path = folder / f"{hosts[0]}.sock"
            runtime = stack.enter_context(FakeRuntime(path, before, free))
            runtime.containers["web"] = "apps/web:1"
            # Every address is a device of its own, so there is always room for one more.
            runtime.StartContainer = lambda spec, **_: {"name": spec["name"]}
            runtime.UpdateContainer = lambda **_: {}
            stack.enter_context(Daemon(
                "containerzd", *(part for host in hosts for part in
                                 ("--listen", f"{host}:{self.port}")),
                "--runtime-socket", path, "--tls-cert", tls[0], "--tls-key", tls[1], "--client-ca",
                client_ca.certificate, "--authz-policy", authz))

        def slow(method, _):
            if method == "StartContainer":
                threading.Event().wait(0.5)

        def failing(method, _):
            if method == "UpdateContainer":
                raise Failure("UpdateFailed", name="web", reason="it ended with exit code 3")

        for number, (kind, count) in enumerate(kinds.items(), 1):
            hosts = [f"127.1.{number}.{index}" for index in range(1, 1 + min(count, 250))]
            hosts += [f"127.2.{number}.{index}" for index in range(1, 1 + count - len(hosts))]
            self.hosts |= dict.fromkeys(hosts, kind)
            if kind in ("good", "slow"):
                for begin in range(0, count, TAKERS):
                    serve(kind, hosts[begin:begin + TAKERS],
                          before=slow if kind == "slow" else lambda *_: None)
            elif kind == "full":
                serve(kind, hosts, before=failing, free=1 << 20)
            elif kind == "untrusted":
                serve(kind, hosts, tls=foreign)
            elif kind == "refusing":
                serve(kind, hosts, client_ca=certificates.other_authority)
            elif kind == "readonly":
                serve(kind, hosts, authz=readonly)
        # Kinds are mixed, in the same way each time.
        order = sorted(self.hosts, key=lambda host: hash_of(host))
        self.file = folder / "targets"
        self.file.write_text("".join(
            f"{host}:{self.port} name={host} server-name=localhost kind={self.hosts[host]}\n"
            for host in order))
        self.options = ["--targets-file", self.file, "--ca", authority.certificate, "--cert",
                        certificates.client[0], "--key", certificates.client[1]]


def hash_of(host):
    return int.from_bytes(bytes(map(int, host.split("."))), "big") * 2654435761 % (1 << 32)
