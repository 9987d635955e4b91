"""A relay that delays what passes through it, and does nothing else to it.

    delay_relay.py MILLISECONDS PORT HOST:PORT|UNIX-SOCKET

Listens on a port of 127.0.0.1 and passes each connection on. Every byte arrives so many
milliseconds later, in each direction, as over a long line without loss and as fast as this
machine can: reading goes on while what was read waits. What the far side does not take is held
back only beyond LIMIT, as the line and the buffers at its ends would hold it.
"""

import collections
import socket
import sys
import threading
import time

CHUNK = 256 << 10
# Far more than passes within the delay at the speed of memory: the delay sets no rate.
LIMIT = 128 << 20


class Direction:
    """One direction of a connection: a thread that reads, one that writes what is due."""

    def __init__(self, source, sink, delay):
        self.source, self.sink, self.delay = source, sink, delay
        self.waiting = collections.deque()
        self.held = 0
        self.changed = threading.Condition()
        self.free = []

    def start(self):
        for action in (self.read, self.write):
            threading.Thread(target=action, daemon=True).start()

    def read(self):
        count = 1
        while count:
            with self.changed:
                self.changed.wait_for(lambda: self.held < LIMIT)
                buffer = self.free.pop() if self.free else memoryview(bytearray(CHUNK))
            try:
                count = self.source.recv_into(buffer)
            except OSError:
                count = 0
            with self.changed:
                self.waiting.append((time.monotonic() + self.delay, buffer, count))
                self.held += count
                self.changed.notify_all()

    def write(self):
        count = 1
        while count:
            with self.changed:
                self.changed.wait_for(lambda: self.waiting)
                due, buffer, count = self.waiting.popleft()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if count:
                    self.sink.sendall(buffer[:count])
                else:
                    self.sink.shutdown(socket.SHUT_WR)
            except OSError:
                # It is gone: whoever sends is to know, as soon as it sends more.
                self.close()
                return
            with self.changed:
                self.held -= count
                self.free.append(buffer)
                self.changed.notify_all()

    def close(self):
        for end in (self.source, self.sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def connect(upstream):
    host, _, port = upstream.rpartition(":")
    if host:
        peer = socket.create_connection((host, int(port)))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(upstream)
    return peer


def main():
    delay, port, upstream = float(sys.argv[1]) / 1000, int(sys.argv[2]), sys.argv[3]
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = connect(upstream)
            Direction(client, peer, delay).start()
            Direction(peer, client, delay).start()


if __name__ == "__main__":
    main()
