"""The parts that read logs: a long one, and many readers of one that grows."""

import contextlib

from engine import API
from harness import wait_until
from measuring import MIB, Usage, bytes_of_data, grpc_call, h2load, in_turn, timed
from report import ratio_at_least

METHOD = "gnoi.containerz.Containerz/Log"
FOLLOWERS = 64
# What the engine puts before each line.
FRAME = 8
LINE = 100
MB = 1_000_000


@contextlib.contextmanager
def chatter(stack, image, name, megabytes):
    """A container that has begun to write so much in lines of LINE bytes, and then ends."""
    stack.cz("container", "start", image, "--instance", name, "--", "/bin/chatter",
             str(int(megabytes * MB) // LINE), str(LINE))
    try:
        yield
    finally:
        stack.engine.remove_container(name)


def logs(bench, megabytes, engine="docker"):
    name = "bench-log"
    with bench.stack(engine) as stack, bench.small_image(stack, "bench-log:1") as image, \
            chatter(stack, image, name, megabytes):
        wait_until(lambda: not stack.engine.is_running(name), "the log to be written", 120)
        path = stack.engine.log_path(name)
        uses = []

        def ours():
            with Usage(*stack.daemons()) as usage:
                stack.cz("container", "logs", name)
            uses.append(usage)
            return megabytes / usage.wall
        bounds, rates = in_turn(
            min(3, bench.rounds), lambda: megabytes / timed(lambda: stack.engine.curl(path)), ours)
        title = f"{stack.engine.label}log of {megabytes:g} MB"
        bench.report.row(f"{title}, rate", rates, "MB/s", bound=bounds,
                         target=ratio_at_least(0.95))
        bench.report.row(f"{title}, processor time of both",
                         [sum(use.processor) for use in uses], "s")


def field(number, data):
    """A field of a protobuf message, with bytes shorter than 128, or a number less than that."""
    if isinstance(data, int):
        return bytes((number << 3, data))
    return bytes((number << 3 | 2, len(data))) + data


def followers(bench):
    """Everybody reads the whole of a log from before it is written to its end."""
    megabytes = bench.options.busy_log_mb
    name = "bench-busy"
    with bench.stack(plain=True) as stack, bench.small_image(stack, "bench-busy:1") as image:
        path = stack.engine.log_path(name, follow=1)
        theirs = ("--h1", "--base-uri", f"unix:{stack.engine.socket}",
                  f"{API}{path}")
        # A LogRequest: the instance's name, and `follow`.
        ours = (*grpc_call(bench.folder, field(1, name.encode()) + field(2, 1)),
                stack.url(METHOD))

        lines = int(megabytes * MB) // LINE
        # Each has its number before it, and a newline.
        size = sum(len(f"{number} ") + LINE + 1 for number in range(1, lines + 1))

        def measured(arguments, *processes, overhead=0):
            with chatter(stack, image, name, megabytes), Usage(*processes) as usage:
                output = h2load(FOLLOWERS, FOLLOWERS, 1, *arguments)
            usage.rate = bytes_of_data(output) / (1 + overhead) / MB / usage.wall
            # Ours miss nothing; the engine sometimes ends a log before its last lines.
            assert overhead or bytes_of_data(output) >= FOLLOWERS * size, output
            return usage
        bounds, results = in_turn(
            min(3, bench.rounds),
            lambda: measured(theirs, stack.engine, overhead=FRAME * lines / size),
            lambda: measured(ours, stack.engine, *stack.plain_daemons()))
        title = f"{FOLLOWERS} followers of a log of {megabytes:g} MB"
        bench.report.row(f"{title}, rate", [use.rate for use in results], "MB/s",
                         bound=[use.rate for use in bounds],
                         target=ratio_at_least(0.95))
        bench.report.row("    processor time of both daemons",
                         [sum(use.processor[1:]) for use in results], "s",
                         bound=[use.processor[0] for use in bounds])
        bench.report.row("    processor time of the engine",
                         [use.processor[0] for use in results], "s",
                         bound=[use.processor[0] for use in bounds])
        bench.report.row("    peak memory of both daemons",
                         [sum(use.peak[1:]) / MIB for use in results], "MiB")


PARTS = {
    "logs": lambda bench: logs(bench, bench.options.log_mb),
    "followers": followers,
    "podman-logs": lambda bench: logs(bench, bench.options.log_mb / 4, "podman"),
}
