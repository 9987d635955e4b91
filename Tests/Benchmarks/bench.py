"""Speed and size of the daemons, as ratios to bounds measured in the same run.

    bench.py [--mib N] [--rounds N] [--large-mib N] [push] [large] [pull] [list] [logs] [idle] [start]

Needs CONTAINERZ_DOCKER_SOCKET and CONTAINERZ_BIN. The client's own time is part of each wall time,
the daemons' processor time and memory are theirs alone.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / folder) for folder in ("Interop", "Support")]

import bench_pull
import make_image
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port, wait_until
from pki import Certificates

SOCKET = os.environ["CONTAINERZ_DOCKER_SOCKET"]
MIB = 1 << 20


class Report:
    """One table: what, measured, bound, ratio, target."""

    def __init__(self):
        print(f"{'':44}{'ours':>14}{'bound':>14}{'ratio':>8}  target")

    def row(self, what, ours, unit, target, bound=None):
        value = f"{ours:.4g} {unit}"
        if bound is None:
            print(f"{what:44}{value:>14}{'':>14}{'':>8}  {target}", flush=True)
        else:
            print(f"{what:44}{value:>14}{f'{bound:.4g} {unit}':>14}{ours / bound:>8.3f}  {target}",
                  flush=True)


class Stack:
    def __init__(self, folder, certificates):
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.certificates = certificates
        self.runtime_socket = folder / "runtime.sock"

    @contextlib.contextmanager
    def running(self):
        certificate, key = self.certificates.server
        self.runtime = Daemon("cz-runtime", "--socket", self.runtime_socket, "--engine-socket",
                              SOCKET, "--engine", "docker", "--state-dir", self.folder / "state")
        with self.runtime:
            self.front = Daemon(
                "containerzd", "--authz-policy", AUTHZ_POLICY, "--listen",
                f"127.0.0.1:{self.port}", "--runtime-socket",
                self.runtime_socket, "--tls-cert", certificate, "--tls-key", key, "--client-ca",
                self.certificates.authority.certificate)
            self.plain = Daemon(
                "containerzd", "--insecure", "--listen", f"127.0.0.1:{self.plain_port}",
                "--runtime-socket", self.runtime_socket)
            with self.front, self.plain:
                yield self

    def daemons(self):
        return self.front, self.runtime

    def cz(self, *arguments, **options):
        certificate, key = self.certificates.client
        return subprocess.run(
            [PROGRAMS / "cz", "--target", f"localhost:{self.port}", "--ca",
             self.certificates.authority.certificate, "--cert", certificate, "--key", key,
             *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, **options)


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def curl(*arguments):
    subprocess.run(["curl", "--silent", "--fail", "--output", "/dev/null", "--unix-socket", SOCKET,
                    *arguments], check=True)


def engine_load(path):
    curl("--request", "POST", "--header", "Content-Type: application/x-tar", "--upload-file",
         str(path), "http://engine/v1.41/images/load?quiet=1")


def engine_remove(name):
    subprocess.run(["curl", "--silent", "--output", "/dev/null", "--unix-socket", SOCKET, "-X",
                    "DELETE", f"http://engine/v1.41/images/{name}?force=1"], check=True)


def written(daemon):
    """Bytes the process made the kernel write to a disk."""
    with open(f"/proc/{daemon.pid}/io") as io:
        return int(dict(line.split(": ") for line in io)["write_bytes"])


def settle():
    """Lets the disk write what a round left behind, so that the next one starts alike."""
    os.sync()
    time.sleep(0.5)


def push(report, certificates, folder, mib, rounds, memory_only=False):
    path = folder / "image.tar"
    with open(path, "wb") as output:
        subprocess.run([sys.executable, make_image.__file__, "-o", "-", "--tag", "bench:1", "--mib",
                        str(mib)], stdout=output, check=True)
    with Stack(folder, certificates).running() as stack:
        ours, engine, cpu = [], [], []
        for _ in range(rounds):
            if not memory_only:
                engine_remove("bench:1")
                settle()
                engine.append(timed(lambda: engine_load(path)))
            engine_remove("bench:1")
            settle()
            before = sum(d.processor_seconds() for d in stack.daemons())
            ours.append(timed(lambda: stack.cz("image", "push", path, "bench:1")))
            cpu.append(sum(d.processor_seconds() for d in stack.daemons()) - before)
        engine_remove("bench:1")
        if not memory_only:
            report.row(f"push of {mib} MiB over TLS, wall", statistics.median(ours), "s", "<= 1.05",
                       statistics.median(engine))
            report.row("  spread", max(ours) - min(ours), "s", "")
            report.row(f"  processor time of both daemons ({mib} MiB)", statistics.median(cpu), "s",
                       "<= 1.1 s for 512 MiB")
        peak = sum(d.status("VmHWM") for d in stack.daemons()) / MIB
        report.row(f"peak memory of both, push of {mib} MiB", peak, "MiB", "<= 32 MiB")
        report.row("  bytes they wrote to disk", sum(map(written, stack.daemons())), "B", "0")
    path.unlink()


def pull(report, certificates, folder, mib, rounds):
    with Stack(folder, certificates).running() as stack:
        bench_pull.pull(report, stack, folder, mib, rounds, engine_load=engine_load,
                        engine_remove=engine_remove, settle=settle)


def percentile(times, share):
    return sorted(times)[int(len(times) * share)]


def h2load(folder, count, *arguments):
    """Response times in microseconds, one connection, one request at a time."""
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    done = subprocess.run(["h2load", "-n", str(count), "-c", "1", "-m", "1", f"--log-file={log}",
                           *arguments], capture_output=True, text=True, check=True)
    assert f"{count} succeeded" in done.stdout, done.stdout
    return [int(line.split("\t")[2]) for line in log.read_text().splitlines()]


def listing(report, certificates, folder, containers):
    with Stack(folder, certificates).running() as stack:
        (folder / "i.tar").write_bytes(make_image.image_bytes())
        stack.cz("image", "push", folder / "i.tar", "bench-list:1")
        for number in range(containers):
            stack.cz("container", "start", "bench-list:1", "--instance", f"bench-{number}",
                     "--", "/bin/idle")
        # A ListContainerRequest with `all` set, framed as gRPC does.
        body = folder / "request"
        body.write_bytes(b"\0\0\0\0\2\x08\x01")
        uri = (f"http://127.0.0.1:{stack.plain_port}/gnoi.containerz.Containerz/ListContainer")
        ours, engine = [], []
        for _ in range(4):
            engine += h2load(folder, 500, "--h1", "--base-uri", f"unix:{SOCKET}",
                             "http://engine/v1.41/containers/json?all=1")
            ours += h2load(folder, 500, "-d", str(body), "-H", "content-type: application/grpc",
                           "-H", "te: trailers", uri)
        name = f"ListContainer of {containers}"
        report.row(f"{name}, p50", percentile(ours, .5) / 1000, "ms", "<= 1.6",
                   percentile(engine, .5) / 1000)
        report.row(f"{name}, p99", percentile(ours, .99) / 1000, "ms", "",
                   percentile(engine, .99) / 1000)
        for number in range(containers):
            stack.cz("container", "remove", "--force", f"bench-{number}")
        stack.cz("image", "remove", "bench-list:1")


def logs(report, certificates, folder, rounds):
    with Stack(folder, certificates).running() as stack:
        (folder / "i.tar").write_bytes(make_image.image_bytes())
        stack.cz("image", "push", folder / "i.tar", "bench-log:1")
        stack.cz("container", "start", "bench-log:1", "--instance", "bench-log", "--",
                 "/bin/chatter", "1000000", "100")

        def ended():
            done = subprocess.run(
                ["curl", "--silent", "--unix-socket", SOCKET,
                 "http://engine/v1.41/containers/bench-log/json"], capture_output=True, check=True)
            return b'"Running":false' in done.stdout
        wait_until(ended, "the log to be written", 120)
        path = "http://engine/v1.41/containers/bench-log/logs?stdout=1&stderr=1"
        ours, engine = [], []
        for _ in range(rounds):
            engine.append(timed(lambda: curl(path)))
            ours.append(timed(lambda: stack.cz("container", "logs", "bench-log")))
        report.row("log of 100 MB, rate", 100 / statistics.median(ours), "MB/s", ">= 0.95",
                   100 / statistics.median(engine))
        stack.cz("container", "remove", "--force", "bench-log")
        stack.cz("image", "remove", "bench-log:1")


def idle(report, certificates, folder):
    with Stack(folder, certificates).running() as stack:
        time.sleep(1)

        def size(daemon):
            with open(f"/proc/{daemon.pid}/smaps_rollup") as rollup:
                return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024
        for name, daemon in zip(("containerzd", "cz-runtime"), stack.daemons()):
            report.row(f"idle PSS of {name}", size(daemon), "MiB", "")
        report.row("idle PSS of both", sum(map(size, stack.daemons())), "MiB", "<= 20 MiB")


def start(report, certificates, folder):
    times = {"containerzd": [], "cz-runtime": []}
    for _ in range(11):
        with Stack(folder, certificates).running() as stack:
            times["containerzd"].append(stack.front.seconds_to_ready)
            times["cz-runtime"].append(stack.runtime.seconds_to_ready)
    # Python's own share: a program that does nothing.
    nothing = statistics.median(timed(lambda: subprocess.run(["true"])) for _ in range(21))
    for name, seconds in times.items():
        report.row(f"start of {name} to accepting", statistics.median(seconds) * 1000, "ms",
                   "<= 20 ms", nothing * 1000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--large-mib", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("what", nargs="*", metavar="push|large|pull|list|logs|idle|start")
    options = parser.parse_args()
    parts = {
        "push": lambda r, c, f: push(r, c, f, options.mib, options.rounds),
        "large": lambda r, c, f: push(r, c, f, options.large_mib, 1, memory_only=True),
        "pull": lambda r, c, f: pull(r, c, f, options.mib, options.rounds),
        "list": lambda r, c, f: [listing(r, c, f, 1), listing(r, c, f, 100)],
        "logs": lambda r, c, f: logs(r, c, f, options.rounds),
        "idle": idle, "start": start}
    unknown = set(options.what) - set(parts)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="cz-bench.", dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        (folder / "pki").mkdir()
        certificates = Certificates(folder / "pki")
        for name in options.what or parts:
            parts[name](report, certificates, folder)


main()
