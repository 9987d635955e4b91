"""The part of the benchmarks that fetches an image: cz-pull beside skopeo and the engine."""

import os
import subprocess
import time

import make_image
from harness import PROGRAMS
from measuring import MIB, in_turn, settle, timed
from registry import Front, Registry
from report import at_most, ratio_at_most

LAYERS = 8
NAME = "bench-pull"


def make_images(folder, mib):
    """Two images of so many MiB in LAYERS layers, which differ in the last one."""
    paths = []
    layers = [make_image.base_layer()] + [
        make_image.filler_layer(mib * MIB // (LAYERS - 1), seed) for seed in range(1, LAYERS)]
    for number in 1, 2:
        if number == 2:
            layers[-1] = make_image.filler_layer(mib * MIB // (LAYERS - 1), 100)
        paths.append(folder / f"{number}.tar")
        with open(paths[-1], "wb") as output:
            make_image.write_docker_archive(
                output, [(make_image.configuration(layers), layers, [f"{NAME}:{number}"])])
    return paths


def run(*arguments):
    """How long a program takes, and the most memory it had, in bytes."""
    begin = time.monotonic()
    process = subprocess.Popen([str(argument) for argument in arguments],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def pull(bench):
    mib, folder = bench.options.mib, bench.folder
    with bench.stack() as stack, Registry(folder / "registry") as registry:
        for number, path in enumerate(make_images(folder, mib), 1):
            registry.push(f"docker-archive:{path}", f"{NAME}:{number}")
            path.unlink()
        source = f"{registry.address}/{NAME}"
        archive = folder / "copied.tar"

        def theirs():
            archive.unlink(missing_ok=True)
            copied, _ = run(
                "skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false",
                f"docker://{source}:1", f"docker-archive:{archive}:{NAME}:1")
            return copied + timed(lambda: stack.engine.load(archive)), 0

        def ours():
            return run(PROGRAMS / "cz-pull", "--plain-http", "--load", "--runtime-socket",
                       stack.runtime_socket, f"{source}:1")

        def measured(action):
            stack.engine.remove_image(f"{NAME}:1")
            settle()
            return action()
        bounds, results = in_turn(
            bench.rounds, lambda: measured(theirs), lambda: measured(ours))
        stack.engine.remove_image(f"{NAME}:1")
        archive.unlink()
        title = f"pull of {mib} MiB, {LAYERS} layers"
        bench.report.row(f"{title}, wall", [wall for wall, _ in results], "s",
                         bound=[wall for wall, _ in bounds], target=ratio_at_most(1.1))
        bench.report.row(f"{title}, peak memory of cz-pull",
                         [peak / MIB for _, peak in results], "MiB", target=at_most(24, "MiB"))
        warm(bench.report, registry, folder / "cache")


def warm(report, registry, cache):
    """What comes over the wire when all layers but one are there."""
    sizes = {}

    def count(handler, number):
        answer, body = handler.whole()
        sizes[handler.path] = len(body)
        return handler.answer(answer.status, {
            key: value for key, value in answer.getheaders()
            if key in ("Content-Type", "Docker-Content-Digest")}, body)

    def fetch(tag):
        run(PROGRAMS / "cz-pull", "--plain-http", "--cache", cache, "-o", os.devnull,
            "--as", f"{NAME}:{tag}", f"{front.address}/{NAME}:{tag}")
    with Front(registry, count) as front:
        fetch(1)
        sizes.clear()
        fetch(2)
    found = {path: size for path, size in sizes.items() if not path.endswith(".sig")}
    blobs = [size for path, size in found.items() if "/blobs/" in path]
    manifest = sum(size for path, size in found.items() if "/manifests/" in path)
    # One layer, and the configuration that names it.
    bound = max(blobs) + min(blobs) + manifest if len(blobs) == 2 else max(blobs) + manifest
    report.row("pull of one new layer, warm cache, bytes fetched", sum(found.values()) / MIB,
               "MiB", bound=bound / MIB, target=ratio_at_most(1))


PARTS = {"pull": pull}
