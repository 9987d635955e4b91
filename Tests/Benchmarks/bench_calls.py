"""The part that counts unary calls a second.

The bound is nghttpd, the server that comes with the HTTP/2 library that containerzd uses too: it
answers the same request with the same bytes from a file, with the same fields and trailer. What
is left between the two is the price of gRPC and of doing the call.
"""

import contextlib
import subprocess

from engine import API
from harness import free_port, wait_until
from measuring import grpc_call, h2load, in_turn, requests_per_second

HEALTH = "grpc.health.v1.Health/Check"
LIST = "gnoi.containerz.Containerz/ListContainer"
STREAMS = 10
# How often the engine is asked for every hundred of the other calls.
ENGINE_SHARE = 0.05


@contextlib.contextmanager
def nghttpd(folder, path, answer):
    """A server of one file; its port."""
    port = free_port()
    file = folder / "www" / path
    file.parent.mkdir(parents=True)
    file.write_bytes(answer)
    process = subprocess.Popen(
        ["nghttpd", "--no-tls", "--address=127.0.0.1", "--htdocs", folder / "www",
         "--trailer=grpc-status: 0", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        return not subprocess.run(["nghttp", f"http://127.0.0.1:{port}/{path}"],
                                  capture_output=True).stderr
    try:
        wait_until(answers, "nghttpd to answer")
        yield port
    finally:
        process.kill()
        process.wait()


def calls(bench):
    # A HealthCheckResponse that says SERVING.
    answer = b"\0\0\0\0\2\x08\x01"
    with bench.stack(plain=True) as stack, nghttpd(bench.folder, HEALTH, answer) as port:
        health = grpc_call(bench.folder, b"", "health")
        listing = grpc_call(bench.folder, b"\x08\x01", "list")
        engine = ("--h1", "--base-uri", f"unix:{stack.engine.socket}",
                  f"{API}/containers/json?all=1")

        def compare(title, count, connections, streams, ours, theirs):
            def rate(arguments, streams):
                return requests_per_second(h2load(count, connections, streams, *arguments))
            bounds, rates = in_turn(bench.rounds, lambda: rate(theirs, streams[1]),
                                    lambda: rate(ours, streams[0]))
            plural = "s" if connections > 1 else ""
            bench.report.row(f"{title}, {connections} connection{plural}", rates, "/s",
                             bound=bounds)
        for connections in 1, 16:
            count = bench.options.requests * 20
            compare("Health.Check, against nghttpd", count, connections, (STREAMS, STREAMS),
                    (*health, stack.url(HEALTH)),
                    (*health, f"http://127.0.0.1:{port}/{HEALTH}"))
            # HTTP/1 has one request at a time on a connection.
            compare("ListContainer of 0, against the engine",
                    max(connections, int(count * ENGINE_SHARE)), connections, (1, 1),
                    (*listing, stack.url(LIST)), engine)


PARTS = {"calls": calls}
