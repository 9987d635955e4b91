"""cz with several devices, and devices that a test holds in its hands."""

import contextlib
import json
import os
import subprocess
import tempfile
import threading

from fake_runtime import FakeRuntime
from harness import PATIENCE, PROGRAMS, Daemon, free_port, wait_until

# What a workstation may have set is no part of a test.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("CZ_")}


class Running:
    """A cz that runs; its standard error can be read meanwhile."""

    def __init__(self, *arguments, environment=None, input=None, **options):
        self.output, self.errors = tempfile.TemporaryFile(), tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(
            [PROGRAMS / "cz", *map(str, arguments)], stdout=self.output, stderr=self.errors,
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
