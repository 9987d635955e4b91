"""Processes under test: started, watched and ended by the test that needs them."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

# The policy that is shipped, with the scopes READ and WRITE.
AUTHZ_POLICY = pathlib.Path(__file__).parents[2] / "packaging/etc/authz.json"

# What reflection answers with: a FileDescriptorSet.
DESCRIPTORS = pathlib.Path(__file__).parents[2] / "Sources/GRPCReflection/descriptors.pb"

PROGRAMS = pathlib.Path(os.environ.get("CONTAINERZ_BIN", ".build/debug"))

# How long anything here may take before a test gives up; a loaded machine is slow.
PATIENCE = 30


def wait_until(condition, what, patience=PATIENCE):
    """Polls until a condition holds, and returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {patience} s in vain: {what}"
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def runtime_call(socket_path, *arguments):
    """`cz-runtime call`, as it ended."""
    return subprocess.run(
        [PROGRAMS / "cz-runtime", "call", *map(str, arguments), "--socket", socket_path],
        capture_output=True, text=True, timeout=60)


def named(image):
    """NAME:TAG as cz-runtime's interface has it."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def process_status(pid, field):
    """A number from /proc/PID/status; sizes are in bytes."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                _, number, *unit = line.split()
                return int(number) * (1024 if unit == ["kB"] else 1)
    raise KeyError(field)


def processor_seconds(pid, children=False):
    """Processor time used so far, in user and kernel mode; also by children that it waited for."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15 if children else 13])) / os.sysconf("SC_CLK_TCK")


class Daemon:
    """A program that says READY as systemd wants it, and ends on SIGTERM."""

    def __init__(self, name, *arguments, environment=None, wait=True, prefix=(),
                 program=None):
        self.name = name
        self.folder = tempfile.TemporaryDirectory(prefix="cz-daemon.")
        notify_path = f"{self.folder.name}/notify"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        # The daemon may be another user.
        os.chmod(self.folder.name, 0o711)
        os.chmod(notify_path, 0o666)
        self.notify.settimeout(0.1)
        self.log = open(f"{self.folder.name}/log", "w+b")
        started = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, program or PROGRAMS / name, *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log,
            env=os.environ | {"NOTIFY_SOCKET": notify_path} | (environment or {}))
        self.pid = self.process.pid
        self.notified = ""
        if wait:
            try:
                self.wait_for("READY=1")
            except BaseException:
                self.kill()
                raise
            self.seconds_to_ready = time.monotonic() - started

    def wait_for(self, state, patience=PATIENCE):
        """Waits for a line among the states that the daemon reports."""
        def arrived():
            with contextlib.suppress(TimeoutError):
                self.notified += self.notify.recv(4096).decode() + "\n"
            assert self.process.poll() is None or state in self.notified.splitlines(), (
                f"{self.name} ended with {self.process.returncode}:\n{self.text()}")
            return state in self.notified.splitlines()
        wait_until(arrived, f"{self.name} to report {state}; it wrote:\n{self.text()}", patience)

    def text(self):
        """What it wrote so far."""
        with open(self.log.name, "rb") as log:
            return log.read().decode(errors="replace")

    def descriptors(self):
        """What its descriptors point to."""
        folder = f"/proc/{self.pid}/fd"
        targets = []
        for number in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                targets.append(os.readlink(f"{folder}/{number}"))
        return targets

    def status(self, field):
        return process_status(self.pid, field)

    def processor_seconds(self):
        return processor_seconds(self.pid)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        self.notify.close()
        self.log.close()
        self.folder.cleanup()

    def stop(self):
        """Ends it as systemd does; a daemon that does not end well fails the test."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            text = self.text()
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{text}") from None
        text = self.text()
        self.close()
        assert code == 0, f"{self.name} ended with {code}:\n{text}"
        assert "Fatal error" not in text, text
        return text

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            print(f"--- {self.name} wrote ---\n{self.text()}")
        self.stop()
