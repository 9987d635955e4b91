"""The benchmarks still measure: with as little work as it can do, each part fills its rows."""

import json
import math
import os
import pathlib
import re
import subprocess
import sys

from conftest import ENGINES, need

BENCH = pathlib.Path(__file__).parents[1] / "Benchmarks/bench.py"
SMALL = ("--rounds", "2", "--mib", "8", "--large-mib", "9", "--containers", "2", "--requests", "20",
         "--log-mb", "0.5", "--busy-log-mb", "0.05")

# Of each part a row.
EXPECTED = {
    "push": "push of 8 MiB over TLS, wall",
    "large": "push of 9 MiB, peak memory",
    "many": "8 pushes of 1 MiB at once, wall",
    "delay": "push of 8 MiB, 50 ms round trip, rate",
    "list": "ListContainer of 2, p50",
    "podman-list": "podman: ListContainer of 1, p99",
    "logs": "log of 0.5 MB, rate",
    "followers": "64 followers of a log of 0.05 MB, rate",
    "calls": "Health.Check, against nghttpd, 16 connections",
    "idle": "idle, PSS of both daemons",
    "start": "start of containerzd to accepting",
}

# They take longer than a test should, or are other parts once more on another engine.
UNTRIED = {"pull", "fleet", "packages", "podman-push", "podman-logs"}


def test_each_part_reports_figures_and_bounds(tmp_path):
    for engine in ENGINES:
        need(engine)
    path = tmp_path / "rows"
    done = subprocess.run(
        [sys.executable, BENCH, *SMALL, "--json", path, *EXPECTED], capture_output=True,
        text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["what"]: row for row in map(json.loads, path.read_text().splitlines())}
    for what in EXPECTED.values():
        row = rows[what]
        assert row["ours"] > 0 and row["spread"] >= 0 and row["bound"] > 0
        assert math.isclose(row["ratio"], row["ours"] / row["bound"])
        assert what in done.stdout
    assert "targets met" in done.stdout
    missed = [row["what"].strip() for row in rows.values() if row["met"] is False]
    assert all(f"    {what}: " in done.stdout for what in missed)


def test_a_part_that_is_not_there_is_named(tmp_path):
    done = subprocess.run([sys.executable, BENCH, "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such part: nonsense" in done.stderr


def test_no_part_is_forgotten():
    help = subprocess.run([sys.executable, BENCH, "--help"], capture_output=True, text=True,
                          check=True, env={**os.environ, "COLUMNS": "1000"}).stdout
    (names,) = re.findall(r"^  PART +(.*)$", help, re.MULTILINE)
    assert set(names.split(", ")) == UNTRIED | set(EXPECTED)
