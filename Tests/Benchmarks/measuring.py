"""What the parts measure with: clocks, percentiles, and others' clients."""

import os
import re
import subprocess
import time

MIB = 1 << 20
# How long a client may take, in seconds.
PATIENCE = 300


def timed(action):
    """The seconds that a call takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def percentile(times, share):
    return sorted(times)[int(len(times) * share)]


def settle():
    """Lets the disk write what a round left behind, so that the next one starts alike."""
    os.sync()
    time.sleep(0.5)


def in_turn(rounds, *actions):
    """Each action's results; the actions alternate, so that what slows the machine slows all."""
    results = [[] for _ in actions]
    for _ in range(rounds):
        for action, list_of_results in zip(actions, results):
            list_of_results.append(action())
    return results


def written(daemon):
    """Bytes the process made the kernel write to a disk."""
    with open(f"/proc/{daemon.pid}/io") as io:
        return int(dict(line.split(": ") for line in io)["write_bytes"])


def forget_peak(process):
    """Lets the most memory that a process had (VmHWM) be counted anew."""
    with open(f"/proc/{process.pid}/clear_refs", "w") as clear:
        clear.write("5")


class Usage:
    """What processes spend while the context lasts: processor seconds, peak bytes, bytes to disk.

    Each figure is a list with one number a process; `clear_refs` wants root.
    """

    def __init__(self, *processes):
        self.processes = processes

    def __enter__(self):
        for process in self.processes:
            forget_peak(process)
        self.processor = [process.processor_seconds() for process in self.processes]
        self.disk = [written(process) for process in self.processes]
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.wall = time.monotonic() - self.start
        self.processor = [process.processor_seconds() - before
                          for process, before in zip(self.processes, self.processor)]
        self.disk = [written(process) - before
                     for process, before in zip(self.processes, self.disk)]
        self.peak = [process.status("VmHWM") for process in self.processes]


def h2load(count, connections, streams, *arguments, log=None):
    """Runs so many requests; what h2load says of them.

    With a log, it has a line a request: when it began, its status, its microseconds.
    """
    if log:
        log.unlink(missing_ok=True)
    done = subprocess.run(
        ["h2load", "-n", str(count), "-c", str(connections), "-m", str(streams),
         *([f"--log-file={log}"] if log else []), *map(str, arguments)],
        capture_output=True, text=True, timeout=PATIENCE)
    assert f"{count} succeeded" in done.stdout and f"{count} 2xx" in done.stdout, (
        done.stdout + done.stderr)
    return done.stdout


def requests_per_second(output):
    return float(re.search(r"([\d.]+) req/s", output)[1])


def bytes_of_data(output):
    """Of all bodies, as h2load counts them."""
    return int(re.search(r"\((\d+)\) data", output)[1])


def latencies(log):
    """A log's response times in milliseconds."""
    return [int(line.split("\t")[2]) / 1000 for line in log.read_text().splitlines()]


def grpc_call(folder, message, name="request"):
    """h2load's options for a unary call: a message, framed as gRPC does, and its headers."""
    body = folder / name
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    return "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers"
