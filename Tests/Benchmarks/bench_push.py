"""The parts that push images: how fast, at what cost, many at once, over a long line."""

import contextlib
import subprocess
import sys

import delay_relay
from engine import API, upload
from engine_api import VERSION
from harness import free_port, wait_until
from measuring import MIB, Usage, in_turn, settle, timed
from report import at_most, ratio_at_least, ratio_at_most

WALL = ratio_at_most(1.05)
MEMORY = at_most(32, "MiB")
# Of the image's size: none of the image, but a few pages of logs and records.
DISK = ratio_at_most(0.001)
# What 512 MiB may cost both daemons.
PROCESSOR_SECONDS_PER_MIB = 1.1 / 512

MANY = 8
# Each way; a round trip takes twice that.
DELAY_MS = 25


def report_costs(bench, stack, title, uses, engine_uses, mib, targets=True):
    """Rows of what the daemons spent, beside what the engine itself spent on the same."""
    rows = (
        ("processor time", "s", "processor", 1,
         at_most(PROCESSOR_SECONDS_PER_MIB * mib, "s")),
        ("peak memory", "MiB", "peak", MIB, MEMORY),
        ("written to disk", "MiB", "disk", MIB, DISK))
    names = [daemon.name for daemon in stack.daemons()]
    for what, unit, field, scale, target in rows:
        def figures(index=None):
            values = [getattr(use, field) for use in uses]
            return [(sum(value) if index is None else value[index]) / scale for value in values]
        bound = ([getattr(use, field)[0] / scale for use in engine_uses] if field != "disk"
                 # What a temporary copy would be.
                 else mib)
        bench.report.row(f"{title}, {what}", figures(), unit, bound=bound,
                         target=target if targets else None)
        for index, name in enumerate(names):
            bench.report.row(f"    of {name}", figures(index), unit)


def push(bench, mib, rounds, engine="docker"):
    name = "bench:1"
    with bench.image(mib, name) as path, bench.stack(engine) as stack:
        def measured(action, *processes):
            stack.engine.remove_image(name)
            settle()
            with Usage(*processes) as usage:
                action()
            return usage
        theirs, ours = in_turn(
            rounds,
            lambda: measured(lambda: stack.engine.load(path), stack.engine),
            lambda: measured(lambda: stack.cz("image", "push", path, name), *stack.daemons()))
        stack.engine.remove_image(name)
        title = f"{stack.engine.label}push of {mib} MiB"
        bench.report.row(f"{title} over TLS, wall", [use.wall for use in ours], "s",
                         bound=[use.wall for use in theirs], target=WALL)
        report_costs(bench, stack, title, ours, theirs, mib)


def at_once(commands):
    """Runs programs beside each other."""
    processes = [subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
                 for command in commands]
    codes = [process.wait() for process in processes]
    assert not any(codes), codes


def many(bench):
    """As much as one large push, in several images at once."""
    mib = max(1, bench.options.mib // MANY)
    with contextlib.ExitStack() as resources:
        names = [f"bench-many-{number}:1" for number in range(MANY)]
        paths = [resources.enter_context(bench.image(mib, name, seed))
                 for seed, name in enumerate(names, 1)]
        stack = resources.enter_context(bench.stack())

        def remove():
            for name in names:
                stack.engine.remove_image(name)

        def measured(commands, *processes):
            remove()
            settle()
            with Usage(*processes) as usage:
                at_once(commands)
            return usage
        loads = [["curl", "--silent", "--fail", "--output", "/dev/null", "--unix-socket",
                  stack.engine.socket, *upload(path), f"{API}/images/load?quiet=1"]
                 for path in paths]
        pushes = [stack.cz_command("image", "push", path, name)
                  for path, name in zip(paths, names)]
        theirs, ours = in_turn(
            bench.rounds, lambda: measured(loads, stack.engine),
            lambda: measured(pushes, *stack.daemons()))
        remove()
        title = f"{MANY} pushes of {mib} MiB at once"
        bench.report.row(f"{title}, wall", [use.wall for use in ours], "s",
                         bound=[use.wall for use in theirs], target=WALL)
        report_costs(bench, stack, title, ours, theirs, mib * MANY, targets=False)


@contextlib.contextmanager
def long_line(upstream):
    """A port that leads to an address as over a long line."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, delay_relay.__file__, str(DELAY_MS), str(port), upstream])

    def listens():
        with open("/proc/net/tcp") as sockets:
            return any(f":{port:04X} 00000000:0000 0A" in line for line in sockets)
    try:
        wait_until(listens, "the relay to listen")
        yield port
    finally:
        process.kill()
        process.wait()


def delayed(bench):
    """A push over a long line, beside the same bytes over raw TCP on the same line.

    They go into the engine's load both times: else the engine would be measured, not the line.
    """
    mib, name = bench.options.mib, "bench-delay:1"
    with bench.image(mib, name) as path, bench.stack() as stack, \
            long_line(f"127.0.0.1:{stack.port}") as ours_port, \
            long_line(stack.engine.socket) as engine_port:
        def rate(action):
            stack.engine.remove_image(name)
            settle()
            return mib / timed(action)

        def raw():
            subprocess.run(
                ["curl", "--silent", "--fail", "--output", "/dev/null", *upload(path),
                 f"http://127.0.0.1:{engine_port}{VERSION}/images/load?quiet=1"], check=True)
        theirs, ours = in_turn(
            min(3, bench.rounds), lambda: rate(raw),
            lambda: rate(lambda: stack.cz("image", "push", path, name, port=ours_port)))
        stack.engine.remove_image(name)
        peaks = [daemon.status("VmHWM") / MIB for daemon in stack.daemons()]
        title = f"push of {mib} MiB, {2 * DELAY_MS} ms round trip"
        bench.report.row(f"{title}, rate", ours, "MiB/s", bound=theirs,
                         target=ratio_at_least(0.9))
        bench.report.row(f"{title}, peak memory", sum(peaks), "MiB", target=MEMORY)


PARTS = {
    "push": lambda bench: push(bench, bench.options.mib, bench.rounds),
    "large": lambda bench: push(bench, bench.options.large_mib, min(2, bench.rounds)),
    "many": many,
    "delay": delayed,
    "podman-push": lambda bench: push(
        bench, bench.options.mib // 4, min(3, bench.rounds), "podman"),
}
