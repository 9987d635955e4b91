"""The server transport with Python's gRPC, which is gRPC's C core, as the client."""

import concurrent.futures
import struct
import threading
import time

import grpc
import pytest

import attacker
from gnoi import DEADLINE, Code, code_of
from harness import wait_until

MIB = 1 << 20


def finish(call):
    """Reads a call to its end; the messages."""
    return list(call)


class Requests:
    """Requests that a test sends one by one, and that end when the test wants it."""

    def __init__(self):
        self.condition = threading.Condition()
        self.waiting = []
        self.ended = False

    def send(self, message):
        with self.condition:
            self.waiting.append(message)
            self.condition.notify_all()

    def end(self):
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def __iter__(self):
        return self

    def __next__(self):
        with self.condition:
            self.condition.wait_for(lambda: self.waiting or self.ended)
            if self.waiting:
                return self.waiting.pop(0)
            raise StopIteration


@pytest.fixture
def never_ending():
    """Requests that never come and never end, until the test does."""
    requests = Requests()
    yield requests
    requests.end()


@pytest.mark.parametrize("size", [0, 1, 16384, 65535, 65536, MIB, 4 * MIB - 16])
def test_messages_of_any_size_come_back(echo, size):
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    options = [message, b"", message[:10]]
    assert finish(echo.method("Echo")(iter(options), timeout=DEADLINE)) == options


def test_many_small_messages_come_back_in_order(echo):
    sent = [str(n).encode() for n in range(5000)]
    assert finish(echo.method("Echo")(iter(sent), timeout=DEADLINE)) == sent


def test_messages_go_in_lockstep(echo):
    requests = Requests()
    call = echo.method("Echo")(requests, timeout=DEADLINE)
    for n in range(100):
        requests.send(str(n).encode())
        assert next(call) == str(n).encode()
    requests.end()
    assert finish(call) == []


def test_metadata_goes_both_ways(echo):
    sent = [("plain", "value, with = signs"), ("twice", "a"), ("twice", "b"),
            ("raw-bin", b"\x00\xff\n,"), ("empty", ""), ("empty-bin", b"")]
    call = echo.method("Echo")(iter([]), metadata=sent, timeout=DEADLINE)
    assert finish(call) == []
    came_back = [tuple(pair) for pair in call.initial_metadata()]
    for key in dict(sent):
        assert [v for k, v in came_back if k == key] == [v for k, v in sent if k == key]
    assert dict(call.trailing_metadata())["end"] == "yes"
    assert dict(call.trailing_metadata())["end-bin"] == b"\x00\x01\xff"


@pytest.mark.parametrize("when", [b"early", b"late"])
def test_a_failure_carries_its_text_and_metadata(echo, when):
    call = echo.method("Fail")(iter([when]), timeout=DEADLINE)
    with pytest.raises(grpc.RpcError) as failure:
        finish(call)
    assert failure.value.code() is Code.FAILED_PRECONDITION
    assert failure.value.details() == "50% of ü\nfailed"
    assert dict(failure.value.trailing_metadata())["why"] == "test"


@pytest.mark.parametrize("path", ["/interop.Echo/Nothing", "/no.Service/Echo", "/x", "/"])
def test_what_is_not_there_is_unimplemented(echo, path):
    assert code_of(echo.channel.unary_unary(path), b"", timeout=DEADLINE) is Code.UNIMPLEMENTED


def test_a_message_over_the_limit_is_resource_exhausted(echo):
    call = echo.method("Count")(iter([bytes(4 * MIB + 1)]), timeout=DEADLINE)
    assert code_of(finish, call) is Code.RESOURCE_EXHAUSTED
    # The connection goes on.
    assert finish(echo.method("Count")(iter([b"abc"]), timeout=DEADLINE)) == [b"3"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_messages_are_refused(echo, compression):
    message = b"to be compressed " * 1000
    call = echo.method("Echo")(iter([message]), compression=compression, timeout=DEADLINE)
    assert code_of(finish, call) is Code.UNIMPLEMENTED


def test_a_compressed_bomb_is_held_to_the_message_limit(echo_server, secure_echo):
    before = echo_server.daemon.status("VmHWM")
    call = secure_echo.method("Count")(
        iter([bytes(1024 * MIB)]), compression=grpc.Compression.Gzip, timeout=DEADLINE)
    assert code_of(finish, call) in (Code.RESOURCE_EXHAUSTED, Code.UNIMPLEMENTED)
    assert echo_server.daemon.status("VmHWM") - before < 32 * MIB


def test_a_deadline_ends_the_call_and_its_handler(echo, never_ending):
    _, before = echo.counts()
    call = echo.method("Wait")(never_ending, timeout=0.3)
    assert code_of(finish, call) is Code.DEADLINE_EXCEEDED
    wait_until(lambda: echo.counts() == (0, before + 1), "the handler to be cancelled")


@pytest.mark.parametrize("method", ["Wait", "Hold", "Flood", "Echo", "Count"])
def test_cancellation_ends_the_handler(echo, never_ending, method):
    _, before = echo.counts()
    call = echo.method(method)(never_ending, timeout=DEADLINE)
    never_ending.send(b"x")
    wait_until(lambda: echo.counts()[0] == 1, "the handler to start")
    call.cancel()
    wait_until(lambda: echo.counts()[0] == 0, "the handler to end")
    assert echo.counts() == (0, before + 1)


def test_a_client_that_vanishes_ends_its_handlers(echo_server, secure_echo, never_ending):
    _, before = secure_echo.counts()
    channel = echo_server.channel("tls")
    calls = [channel.stream_stream("/interop.Echo/Wait")(never_ending) for _ in range(20)]
    for call in calls:
        assert next(call) == b"\x01"
    channel.close()
    wait_until(lambda: secure_echo.counts() == (0, before + 20), "the handlers to end")


def test_a_slow_reader_stops_the_sender(echo_server, echo, never_ending):
    """Nothing is read from an endless answer: the server must not buffer it."""
    before = echo_server.daemon.status("VmHWM")
    call = echo.method("Flood")(never_ending, timeout=DEADLINE)
    next(call)
    used = echo_server.daemon.processor_seconds()
    # Others are served beside it.
    for n in range(200):
        assert finish(echo.method("Echo")(iter([b"x"]), timeout=DEADLINE)) == [b"x"]
    assert echo_server.daemon.status("VmHWM") - before < 16 * MIB
    assert echo_server.daemon.processor_seconds() - used < 10
    call.cancel()
    wait_until(lambda: echo.counts()[0] == 0, "the flood to end")


def test_a_handler_that_does_not_read_stops_the_client(echo_server, echo):
    before = echo_server.daemon.status("VmHWM")
    sent = []

    def requests():
        for n in range(64):
            sent.append(n)
            yield bytes(MIB)

    call = echo.method("Hold")(requests(), timeout=1)
    assert code_of(finish, call) is Code.DEADLINE_EXCEEDED
    assert len(sent) < 32
    assert echo_server.daemon.status("VmHWM") - before < 16 * MIB


def test_streams_at_once_do_not_mix(echo):
    def talk(number):
        sent = [f"{number}/{n}".encode() * 50 for n in range(100)]
        return finish(echo.method("Echo")(iter(sent), timeout=DEADLINE)) == sent

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert all(pool.map(talk, range(256)))


def test_more_calls_than_streams_wait_for_their_turn(echo):
    requests = Requests()
    calls = [echo.method("Echo")(requests, timeout=DEADLINE) for _ in range(300)]
    requests.end()
    assert all(finish(call) == [] for call in calls)


def test_headers_over_the_limit_are_refused_and_the_server_goes_on(echo_server, secure_echo):
    with echo_server.channel("tls") as channel:
        call = channel.stream_stream("/interop.Echo/Echo")(
            iter([]), metadata=[("big", "x" * 100_000)], timeout=DEADLINE)
        assert code_of(finish, call) in (
            Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN)
    assert finish(secure_echo.method("Echo")(iter([b"x"]), timeout=DEADLINE)) == [b"x"]


def test_nothing_is_left_open_after_clients_have_gone(echo_server, certificates):
    def connections():
        return sum(target.startswith("socket:") for target in echo_server.daemon.descriptors())

    wait_until(lambda: connections() <= 6, "earlier connections to close")
    before = connections()
    for kind in ("tls", "plain", "unix"):
        for _ in range(10):
            with echo_server.channel(kind, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                assert finish(channel.stream_stream("/interop.Echo/Echo")(
                    iter([b"x"]), timeout=DEADLINE)) == [b"x"]
    wait_until(lambda: connections() <= before, "the connections to close")


def test_padding_is_given_back_to_the_window(echo_server):
    """Which an upload of many windows would use up otherwise."""
    most = (1 << 31) - 1
    padded, padding = 0x8, 255
    message = b"\0" + struct.pack(">I", 1000) + bytes(1000)
    size = 1 + len(message) + padding
    with attacker.Attacker(echo_server.plain_port) as peer:
        peer.greet(initial_window_size=most)
        peer.send(attacker.frame(attacker.WINDOW_UPDATE, 0, 0, struct.pack(">I", most - 65535)))
        peer.wait_for(attacker.SETTINGS)
        peer.acknowledge()
        stream = peer.next_stream()
        peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, stream,
                                 attacker.request_fields("/interop.Echo/Echo")))
        piece = attacker.frame(attacker.DATA, padded, stream,
                               bytes([padding]) + message + bytes(padding))
        window = {0: 65535, stream: 65535}
        for number, value in settings_in(peer.frames):
            if number == attacker.INITIAL_WINDOW_SIZE:
                window[stream] = value
        sent, deadline = 0, time.monotonic() + DEADLINE
        while sent < 12 << 20:
            for kind, _, of, payload in peer.frames:
                if kind == attacker.WINDOW_UPDATE and of in window:
                    window[of] += int.from_bytes(payload, "big")
            peer.frames.clear()
            if min(window.values()) < size:
                assert peer.read(0.1) and time.monotonic() < deadline, (sent, window)
                continue
            assert peer.send(piece)
            sent += size
            window = {of: rest - size for of, rest in window.items()}


def settings_in(frames):
    for kind, flags, _, payload in frames:
        if kind == attacker.SETTINGS and not flags:
            yield from struct.iter_unpack(">HI", payload)


def test_keepalive_pings_are_answered(echo_server, never_ending):
    options = [("grpc.keepalive_time_ms", 300), ("grpc.keepalive_timeout_ms", 500),
               ("grpc.http2.max_pings_without_data", 0), ("grpc.use_local_subchannel_pool", 1)]
    with echo_server.channel("tls", options) as channel:
        # Long enough for several, and for one without an answer to end it.
        call = channel.stream_stream("/interop.Echo/Wait")(never_ending, timeout=3)
        assert code_of(finish, call) is Code.DEADLINE_EXCEEDED
