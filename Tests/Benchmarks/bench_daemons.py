"""The parts that look at the daemons by themselves: how large when idle, how soon they serve."""

import subprocess
import time

from measuring import MIB, in_turn, timed
from report import at_most

PIECES = ("Pss", "Pss_Anon", "Pss_File")


def proportional_set(process):
    """Its share of memory, in bytes: all, of its own, and of files."""
    with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024
                 for line in rollup if line.startswith("Pss")}
    return {piece: sizes[piece] / MIB for piece in PIECES}


def idle(bench):
    """Beside the engine's own, idle too."""
    samples = []
    for _ in range(min(3, bench.rounds)):
        with bench.stack() as stack:
            # Longer than they need to put away what starting took.
            time.sleep(3)
            samples.append([proportional_set(process)
                            for process in (*stack.daemons(), stack.engine)])
    engine = [sample[2]["Pss"] for sample in samples]
    bench.report.row("idle, PSS of both daemons",
                     [sample[0]["Pss"] + sample[1]["Pss"] for sample in samples], "MiB",
                     bound=engine, target=at_most(16, "MiB"))
    for index, name in enumerate(("containerzd", "cz-runtime")):
        for piece, what in (("Pss", ""), ("Pss_Anon", ", its own memory"),
                            ("Pss_File", ", the program and its libraries")):
            bench.report.row(f"    of {name}{what}",
                             [sample[index][piece] for sample in samples], "MiB")


def start(bench):
    """From being forked to accepting, beside a program that does nothing."""
    def ours():
        with bench.stack() as stack:
            return stack.front.seconds_to_ready * 1000, stack.runtime.seconds_to_ready * 1000
    times, nothing = in_turn(2 * bench.rounds + 1, ours,
                             lambda: timed(lambda: subprocess.run(["true"])) * 1000)
    for index, name in enumerate(("containerzd", "cz-runtime")):
        bench.report.row(f"start of {name} to accepting", [time[index] for time in times], "ms",
                         bound=nothing, target=at_most(20, "ms"))


PARTS = {"idle": idle, "start": start}
