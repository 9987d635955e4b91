"""The part that weighs the packages, beside the engine's own."""

import pathlib
import subprocess

from measuring import MIB

PROJECT = pathlib.Path(__file__).parents[2]
PACKAGES = PROJECT / ".build/packages"
ENGINE = "docker.io"


def field(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True).stdout.strip()


def packages(bench):
    found = sorted(PACKAGES.glob("*.deb"))
    if not found:
        print("packages: none in .build/packages; `make deb` makes them", flush=True)
        return
    newest = max(path.stat().st_mtime for path in (PROJECT / "Sources").rglob("*.swift"))
    if min(path.stat().st_mtime for path in found) < newest:
        print("packages: older than the sources; `make deb` makes them anew", flush=True)
        return
    installed = {path: int(field("dpkg-deb", "--field", path, "Installed-Size")) / 1024
                 for path in found}
    # Known where it is installed, as Debian counts: in KiB.
    engine = field("dpkg-query", "--show", "--showformat=${Installed-Size}", ENGINE)
    bench.report.row("packages", sum(path.stat().st_size for path in found) / MIB, "MiB")
    bench.report.row(f"    installed, against {ENGINE}", sum(installed.values()), "MiB",
                     bound=int(engine) / 1024 if engine else None)
    for path in found:
        name = path.name.split("_")[0]
        bench.report.row(f"    {name}", path.stat().st_size / MIB, "MiB")
        bench.report.row(f"    {name}, installed", installed[path], "MiB")


PARTS = {"packages": packages}
