"""The part of the benchmarks with a thousand devices: what cz needs for them, however large the
image is."""

import contextlib
import subprocess
import time

import make_image
from fleet import Thousand, run_cz
from measuring import MIB
from report import at_most

# As many devices take the image as cz serves at a time; the others refuse it or are not there.
KINDS = {"good": 32, "full": 368, "dead": 400, "untrusted": 100, "refusing": 100}
PARTLY = 2


class Zeros:
    """A file of zeros for a tar."""

    def read(self, count):
        return bytes(count)


def sparse_image(path, mib):
    """An image of so many MiB that takes next to no room here."""
    with open(path, "wb") as file:
        make_image.make_image(file)
    zeros = path.with_suffix(".layer")
    with make_image.tarfile.open(zeros, "w") as tar:
        make_image.add(tar, "zeros", (Zeros(), mib * MIB))
    subprocess.run(["fallocate", "--dig-holes", zeros], check=True)
    with open(path, "wb") as file, open(zeros, "rb") as layer:
        layers = [make_image.base_layer(), layer]
        make_image.write_docker_archive(
            file, [(make_image.configuration(layers), layers, ["bench:1"])])
    zeros.unlink()
    subprocess.run(["fallocate", "--dig-holes", path], check=True)


def fleet(bench):
    """Rolls an image out to a thousand devices, and looks at cz's memory."""
    report, mib = bench.report, bench.options.mib
    image = bench.folder / "fleet.tar"
    sparse_image(image, mib)
    with contextlib.ExitStack() as stack:
        thousand = Thousand(bench.folder, bench.certificates, stack, KINDS)
        begin = time.monotonic()
        done = run_cz(*thousand.options, "deploy", image, "bench:1", "--instance", "web", "--resume",
                      bench.folder / "fleet.state", code=PARTLY, timeout=3600)
        wall = time.monotonic() - begin
    image.unlink()
    count = sum(KINDS.values())
    assert done.stderr.splitlines()[-1] == (
        f"cz: deploy: {count} targets: {KINDS['good']} ok, {count - KINDS['good']} failed")
    report.row(f"deploy of {mib} MiB to {count} devices, wall", wall, "s")
    report.row("  sent a second", KINDS["good"] * mib / wall, "MiB/s")
    report.row("  peak memory of cz", done.peak / MIB, "MiB", target=at_most(200, "MiB"))


PARTS = {"fleet": fleet}
