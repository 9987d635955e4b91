"""Speed and size of the daemons, as ratios to bounds measured in the same run.

    bench.py [OPTION]... [PART]...

Without a part all of them. Ours and the bound take turns, so that what else the machine does
slows both. A row has the median of the rounds of each, and the spread from the least to the most.
The client's own time is part of each wall time; the daemons' processor time and memory are theirs
alone. A missed target is said at the end, and is no failure.

Needs what Tests/Support/with-engines sets; h2load, nghttpd, curl and skopeo; root.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / folder) for folder in ("Interop", "Support")]

import bench_calls
import bench_daemons
import bench_fleet
import bench_list
import bench_logs
import bench_packages
import bench_pull
import bench_push
from bench_stack import Bench
from pki import Certificates
from report import Report

# Each has PARTS: what measures, by name, in the order of the table. A part takes a Bench.
MODULES = (bench_push, bench_pull, bench_list, bench_logs, bench_calls, bench_daemons,
           bench_packages, bench_fleet)
PARTS = {name: part for module in MODULES for name, part in module.PARTS.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is taken")
    parser.add_argument("--mib", type=int, default=512, help="an image's size")
    parser.add_argument("--large-mib", type=int, default=4096, help="a large image's size")
    parser.add_argument("--containers", type=int, default=200, help="how many are listed")
    parser.add_argument("--requests", type=int, default=500, help="how many lists a round")
    parser.add_argument("--log-mb", type=float, default=100, help="a log's size")
    parser.add_argument("--busy-log-mb", type=float, default=4, help="the size of one followed")
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w"),
                        help="also write the rows here, a JSON object a line")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    report = Report(options.json)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cz-bench.", dir="/var/tmp") as top:
        top = pathlib.Path(top)
        (top / "pki").mkdir()
        certificates = Certificates(top / "pki")
        for name in options.parts or PARTS:
            folder = top / name
            folder.mkdir()
            PARTS[name](Bench(report, folder, certificates, options))
    report.close()
    print(f"measured in {time.monotonic() - begin:.0f} s")


main()
