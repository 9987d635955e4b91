"""The part that lists containers, few and many."""

from concurrent.futures import ThreadPoolExecutor

from engine import API
from measuring import grpc_call, h2load, in_turn, latencies, percentile
from report import ratio_at_most

METHOD = "gnoi.containerz.Containerz/ListContainer"
# A ListContainerRequest with `all` set.
ALL = b"\x08\x01"
STARTERS = 4
# Fewer questions where the answer is long, so that each takes about as long.
FEWEST = 20


def listing(bench, most, engine="docker"):
    with bench.stack(engine, plain=True) as stack, bench.small_image(stack, "bench-list:1") as image, \
            ThreadPoolExecutor(STARTERS) as starters:
        log = bench.folder / "h2load.log"
        names = []

        def start(name):
            stack.cz("container", "start", image, "--instance", name, "--", "/bin/idle")

        def times(*arguments):
            # One request at a time.
            requests = max(FEWEST, bench.options.requests // len(names))
            h2load(requests, 1, 1, *arguments, log=log)
            return latencies(log)
        theirs = ("--h1", "--base-uri", f"unix:{stack.engine.socket}",
                  f"{API}/containers/json?all=1")
        ours = (*grpc_call(bench.folder, ALL), stack.url(METHOD))
        try:
            for count in 1, most:
                new = [f"bench-{number}" for number in range(len(names), count)]
                names += new
                list(starters.map(start, new))
                bounds, results = in_turn(
                    bench.rounds, lambda: times(*theirs), lambda: times(*ours))
                title = f"{stack.engine.label}ListContainer of {count}"
                for share, target in (.5, ratio_at_most(1.6)), (.99, None):
                    def figures(rounds):
                        return [percentile(round, share) for round in rounds]
                    bench.report.row(f"{title}, p{share * 100:.0f}", figures(results), "ms",
                                     bound=figures(bounds), target=target)
        finally:
            list(starters.map(stack.engine.remove_container, names))


PARTS = {
    "list": lambda bench: listing(bench, bench.options.containers),
    # Podman needs seconds to start one.
    "podman-list": lambda bench: listing(bench, max(2, bench.options.containers // 10), "podman"),
}
