"""Repeats the beginning of a TLS connection, or all of a handshake, as often as it can.

    flood.py PORT SECONDS THREADS SOURCE... < JSON

The JSON is {"hello": HEX}, which is sent each time until something is answered, or
{"certificate": FILE, "key": FILE, "groups": NAME}, with which handshakes are completed. With
"drip": [HEX, COUNT] as well, those bytes follow, and then COUNT bytes in a TLS record each.
Prints how many connections were made and how many were answered. A process of its own, so that it
does not share Python's lock with the one that measures.
"""

import contextlib
import json
import socket
import ssl
import sys
import threading
import time


def drip(peer, first, count):
    peer.sendall(bytes.fromhex(first))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(count):
        peer.sendall(b"x")


def main():
    port, seconds, threads, sources = (
        int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    what = json.load(sys.stdin)
    hello = bytes.fromhex(what.get("hello", ""))
    context = None
    if not hello:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(what["certificate"], what["key"])
        context.set_alpn_protocols(["h2"])
        context.set_ecdh_curve(what["groups"])
    counts = [0, 0]
    end = time.monotonic() + seconds

    def run(number):
        turn = number
        while time.monotonic() < end:
            source = sources[turn % len(sources)]
            turn += threads
            with contextlib.suppress(OSError):
                with socket.create_connection(
                        ("127.0.0.1", port), 5, source_address=(source, 0)) as peer:
                    counts[0] += 1
                    if context:
                        with context.wrap_socket(peer) as encrypted:
                            counts[1] += 1
                            drip(encrypted, *what.get("drip", ("", 0)))
                    else:
                        peer.sendall(hello)
                        if peer.recv(1):
                            counts[1] += 1

    running = [threading.Thread(target=run, args=[number]) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(*counts)


main()
