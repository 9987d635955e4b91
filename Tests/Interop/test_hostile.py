"""What one hostile peer can do to the others, and to the device: next to nothing."""

import concurrent.futures
import contextlib
import resource
import socket
import statistics
import time

import grpc
import pytest

import attacker
import gnoi
from gnoi import DEADLINE
from harness import AUTHZ_POLICY, Daemon, free_port, wait_until

MIB = 1 << 20
# How long an attack goes on at least, by connecting anew each time it has been dropped.
SIEGE = 1.0
# Calls by which to know the latency without an attack.
CALLS_BEFORE = 40
# Sockets of the daemon without an attack: the listener, the neighbour, and connections to
# cz-runtime that are kept for later.
NORMAL = 2 + 4
# How much the daemon may grow, whatever happens.
GROWTH = 32 * MIB


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    """The attacker needs a socket for each of its connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Front:
    """A containerzd with limits of its own, and both sides of what happens to it."""

    def __init__(self, stack, certificates, *options):
        self.certificates = certificates
        self.port = free_port()
        certificate, key = certificates.server
        self.daemon = Daemon(
            "containerzd", "--listen", f"127.0.0.1:{self.port}", "--runtime-socket",
            stack.runtime_socket, "--tls-cert", certificate, "--tls-key", key, "--client-ca",
            certificates.authority.certificate, "--plugin-dir", stack.folder / "plugins",
            "--authz-policy", AUTHZ_POLICY,
            "--handshake-timeout", "1", "--header-timeout", "1", "--stall-timeout", "1", *options)
        self.attacks = attacker.Attacks(self.port, certificates)

    def channel(self, client="client"):
        return gnoi.secure_channel(
            self.port, self.certificates.authority, getattr(self.certificates, client),
            [("grpc.use_local_subchannel_pool", 1)])

    def reasons(self):
        """The lines of the log that say why a connection ended."""
        return [line for line in self.daemon.text().splitlines() if "a connection ended" in line]


@pytest.fixture
def front(request, docker_stack, certificates):
    """The daemon, with the options that a test names."""
    options = getattr(request, "param", ())
    it = Front(docker_stack, certificates, *options)
    with it.daemon:
        yield it


class Neighbour:
    """A client that minds its own business."""

    def __init__(self, front, channel):
        self.device = gnoi.Device(channel)
        self.daemon = front.daemon
        self.times = []
        self.largest = 0

    def call(self):
        started = time.monotonic()
        self.device.images()
        self.times.append(time.monotonic() - started)
        self.largest = max(self.largest, self.daemon.status("VmRSS"))

    def median(self):
        """Of the calls since the last time."""
        times, self.times = self.times, []
        return statistics.median(times)


def besiege(front, attack, name, beside=lambda: None):
    """Attacks again and again while a well-behaved client makes calls, which all succeed."""
    # Somebody else than the attacker: what a principal has at a time is limited.
    with (front.channel("reader") as channel, concurrent.futures.ThreadPoolExecutor(1) as pool):
        neighbour = Neighbour(front, channel)
        # The first ones fill caches of all kinds.
        attack()
        for _ in range(10):
            neighbour.call()
        wait_until(lambda: sockets(front) <= NORMAL, "the first attack's connections to go")
        memory = front.daemon.status("VmRSS")
        neighbour.median()
        for _ in range(CALLS_BEFORE):
            neighbour.call()
        calm = neighbour.median()
        neighbour.largest = 0

        def siege():
            end = time.monotonic() + SIEGE
            rounds = 0
            while rounds == 0 or time.monotonic() < end:
                attack()
                rounds += 1
            return rounds

        attacks = pool.submit(siege)
        while not attacks.done():
            neighbour.call()
            beside()
        rounds = attacks.result()
        attacked = neighbour.median()
        print(f"\n{name}: median latency {attacked * 1000:.1f} ms, {attacked / calm:.2f} times "
              f"what it is in calm; {rounds} attacks; "
              f"{(neighbour.largest - memory) / MIB:+.1f} MiB")
        assert neighbour.largest - memory < GROWTH
        wait_until(lambda: sockets(front) <= NORMAL, "the attacker's connections to go")
        neighbour.call()


def sockets(front):
    return sum(target.startswith("socket:") for target in front.daemon.descriptors())


@pytest.mark.parametrize("attack, reason", [
    ("rapid_reset", "broken streams"),
    ("provoked_reset", "broken streams"),
    ("refused_streams", "broken streams"),
    ("continuation_flood", "HTTP/2"),
    ("large_continuation_flood", "headers of a request unpack|CONTINUATION"),
    ("settings_flood", "control frames|Flooding"),
    ("ping_flood", "control frames|Flooding"),
    ("priority_flood_beside_dead_headers", "control frames"),
    ("ping_answer_flood", "control frames"),
    ("priority_flood", "control frames"),
    ("window_update_flood", "control frames"),
    ("empty_data_flood", "control frames"),
    ("unknown_frame_flood", "control frames"),
    ("zero_window", "waits to be sent"),
    ("dripping_client_hello", "handshake took longer"),
    ("tls_without_http", "handshake took longer"),
    ("dripping_preface", "handshake took longer"),
    ("dripping_headers", "headers of a request took longer"),
    ("headers_without_end", "headers of a request took longer"),
    ("giant_table", "COMPRESSION_ERROR"),
    ("header_bomb", "headers of a request unpack"),
    ("garbage", "TLS"),
    ("http_1", "TLS"),
    ("broken_frames", "HTTP/2"),
])
def test_an_attacker_is_dropped_and_nobody_else_notices(front, attack, reason):
    besiege(front, getattr(front.attacks, attack), attack)
    reasons = front.reasons()
    assert any(part in line for part in reason.split("|") for line in reasons), reasons


@pytest.mark.parametrize("front", [("--max-buffered", 16 * MIB)], indirect=True)
def test_who_holds_most_of_the_memory_is_dropped(front):
    besiege(front, front.attacks.promised_messages, "promised_messages")
    assert any("this one the most" in line for line in front.reasons())


@pytest.mark.parametrize("front", [("--max-buffered", 16 * MIB, "--stall-timeout", "60")],
                         indirect=True)
def test_what_a_complete_request_holds_goes_with_its_connection(front):
    """And not those of others, for what the server cannot get back from them."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(front.attacks.greeted()) for _ in range(3)]
        for other in others:
            # In the middle of a message.
            other.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, other.next_stream(),
                                      attacker.request_fields())
                       + attacker.frame(attacker.DATA, 0, 1, b"\0\0\1\0\0" + bytes(1000)))
            ping(other)
        # No room for an answer, so that the handler stops reading; what 130 messages take beside
        # their bytes is more than 16 KiB.
        peer = stack.enter_context(front.attacks.greeted(initial_window_size=0))
        peer.acknowledge()
        for thousands in 125, 30:
            peer.send(attacker.request(peer.next_stream(), attacker.REFLECTION,
                                       attacker.EMPTY_MESSAGE * 1000 * thousands))
        peer.wait_for_end()
        for other in others:
            ping(other)
    assert [line for line in front.reasons() if "this one the most" in line], front.reasons()


def ping(peer):
    """Waits until the server has taken in what the peer has sent."""
    peer.frames.clear()
    peer.send(attacker.frame(attacker.PING, payload=b"there?!?"))
    peer.wait_for(attacker.PING)


def test_who_sends_faster_than_it_is_read_leaves_others_their_turn(front):
    with (front.channel("reader") as channel, front.channel() as started,
          concurrent.futures.ThreadPoolExecutor(1) as pool):
        device = gnoi.Device(channel)
        gnoi.Device(started).images()
        calls = 0
        flood = pool.submit(front.attacks.tiny_data, lambda: calls >= 50)
        try:
            while calls < 50:
                device.images()
                assert calls < 10 or not flood.done(), flood.result()
                calls += 1
        finally:
            calls = 50
        flood.result()
    assert front.reasons() == []


def test_thousands_of_half_open_connections_keep_nobody_out(front):
    def newcomer():
        with front.channel("reader") as channel:
            gnoi.Device(channel).images()

    besiege(front, front.attacks.half_open, "half_open", beside=newcomer)
    assert any("connections from one peer" in line for line in front.reasons())


@pytest.mark.parametrize("front", [("--max-connections", "40")], indirect=True)
def test_addresses_without_number_do_not_take_all_places(front):
    sources = [f"127.0.{n // 250}.{n % 250 + 2}" for n in range(1, 1000)]

    def flood():
        front.attacks.half_open(1000, sources)

    besiege(front, flood, "half_open from 1000 addresses")
    assert any("more than 40 connections" in line for line in front.reasons())


def test_a_flood_from_the_network_keeps_nobody_off_the_unix_socket(
        docker_stack, certificates, tmp_path):
    """With all places on TCP taken by clients whose RPCs go on, and more at the door."""
    path = tmp_path / "front.sock"
    front = Front(docker_stack, certificates, "--listen", f"unix:{path}", "--max-connections", "4")
    with front.daemon, contextlib.ExitStack() as stack:
        for _ in range(4):
            peer = stack.enter_context(front.attacks.greeted())
            # A request without its message is never done.
            peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, peer.next_stream(),
                                     attacker.request_fields()))
            peer.send(attacker.frame(attacker.PING, payload=bytes(8)))
            peer.wait_for(attacker.PING)
        with front.attacks.connect() as latecomer:
            latecomer.wait_for_end()
        assert any("more than 4 connections" in line for line in front.reasons())
        with grpc.insecure_channel(f"unix:{path}") as channel:
            gnoi.Device(channel).images()


@pytest.mark.parametrize("front", [("--login-timeout", "0.5", "--idle-timeout", "3600")],
                         indirect=True)
def test_who_is_let_in_may_idle_and_who_is_not_may_not(front):
    with front.attacks.greeted() as silent, front.attacks.greeted() as refused:
        # No rule allows that.
        refused.send(attacker.request(1, "/no.such.Service/Method"))
        for peer in silent, refused:
            peer.wait_for_end()
            assert peer.goaway == 0
    with front.attacks.greeted() as client, front.attacks.greeted() as other:
        client.send(attacker.request(client.next_stream()))
        client.wait_for(attacker.HEADERS)
        # Long after the other one's time is over.
        other.wait_for_end()
        client.frames.clear()
        client.send(attacker.request(client.next_stream()))
        client.wait_for(attacker.HEADERS)
    assert front.reasons() == []


# Long enough to fill the buffers meanwhile, and for a client to leave in good order; nor are its
# headers slow on a machine that is busy.
@pytest.mark.parametrize("front", [("--login-timeout", "8", "--idle-timeout", "3600",
                                    "--header-timeout", "3600", "--stall-timeout", "3600")],
                         indirect=True)
@pytest.mark.parametrize("reads", [False, True])
def test_who_is_not_let_in_gains_no_time_by_not_reading(front, reads):
    """With an RPC whose answer does not get out, behind others that were refused; nor by reading
    now and then."""
    with front.attacks.connect() as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.encrypt(front.certificates).greet()
        before = sockets(front)
        peer.fill_answers()
        last = peer.next_stream()
        peer.send(attacker.request(last, "/no.such.Service/Method"))

        def closed():
            if reads:
                time.sleep(2)
                # A record of TLS, at most 16 KiB, so that what has no room yet goes on waiting.
                peer.read(0.1)
            return sockets(front) < before

        wait_until(closed, "its connection to be closed")
        assert bool(peer.frames) == reads
        assert not any(stream == last for _, _, stream, _ in peer.frames)
    assert any("no RPC was let in" in line for line in front.reasons()), front.reasons()


def test_a_busy_client_may_ping(front):
    """As many control frames as its streams pay for, which are more than it has without them."""
    with front.attacks.greeted() as peer:
        for _ in range(50):
            peer.frames.clear()
            streams = {peer.next_stream() for _ in range(20)}
            for stream in sorted(streams):
                peer.send(attacker.request(stream)
                          + attacker.frame(attacker.PING, payload=bytes(8)) * 3)

            def answered():
                assert peer.read(0.05), "the server hung up"
                return streams <= {stream for kind, flags, stream, _ in peer.frames
                                   if kind == attacker.HEADERS and flags & attacker.END_STREAM}

            wait_until(answered, "all answers")
        ping(peer)
    assert front.reasons() == []


def test_an_attack_does_not_flood_the_log(front):
    front.attacks.half_open(1000)
    wait_until(lambda: "more connections ended" in front.daemon.text(), "what was left out")
    lines = len(front.reasons())
    # 20 at once and one a second.
    assert lines < 20 + 30, lines
    assert "suppressed" in front.daemon.text()


@pytest.mark.parametrize("front", [("--idle-timeout", "0.5")], indirect=True)
def test_idle_connections_are_closed_in_good_order(front):
    with front.attacks.greeted() as peer:
        peer.wait_for_end()
        assert peer.goaway == 0
    assert front.reasons() == []


def test_a_stream_that_is_not_read_ends_without_the_others(front):
    """One call waits for an answer that never comes, as a follower of logs does; the other one's
    client takes nothing."""
    with front.attacks.greeted(initial_window_size=0) as peer:
        silent, stalled = peer.next_stream(), peer.next_stream()
        # Without its message the first one is never answered.
        peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, silent,
                                 attacker.request_fields()))
        # Its answer has a message; without one it would need no window.
        peer.send(attacker.request(stalled, attacker.REFLECTION))
        peer.wait_for(attacker.RST_STREAM)
        resets = [seen[2] for seen in peer.frames if seen[0] == attacker.RST_STREAM]
        assert resets == [stalled]
        ping(peer)


@pytest.mark.parametrize("front", [("--request-timeout", "0.5")], indirect=True)
def test_deploys_that_stop_sending_give_their_places_back(front, unique):
    """As many as there may be, none of which sends what it has announced."""
    with front.channel() as channel, contextlib.ExitStack() as stack:
        device = gnoi.Device(channel)
        stalled = [stack.enter_context(device.deploy()) for _ in range(16)]
        for number, deploy in enumerate(stalled):
            deploy.transfer(unique(f"stalled-{number}"), "1", 1 << 20)
            deploy.ready()
        for deploy in stalled:
            assert gnoi.code_of(deploy.progress) == gnoi.Code.DEADLINE_EXCEEDED
        with device.deploy() as deploy:
            deploy.transfer(unique("next"), "1", 1 << 20)
            deploy.ready()


@pytest.mark.parametrize("front", [("--max-rpcs-per-principal", "3")], indirect=True)
def test_a_principal_leaves_something_for_the_others(front):
    """Whatever number of connections it makes."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            peer = stack.enter_context(front.attacks.greeted())
            # Without its message it is never done.
            peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, peer.next_stream(),
                                     attacker.request_fields()))
        client = stack.enter_context(front.channel())

        def code():
            return gnoi.code_of(gnoi.Device(client).images)
        wait_until(lambda: code() == gnoi.Code.RESOURCE_EXHAUSTED, "all three to have begun")
        with front.channel("reader") as other:
            gnoi.Device(other).images()
        peer.close()
        wait_until(lambda: code() == gnoi.Code.OK, "its place")


def test_a_silent_log_is_no_stall(front, docker_image, unique):
    """Nothing to send for longer than the stall timeout, and then something."""
    with front.channel() as channel:
        device = gnoi.Device(channel)
        name = unique("quiet")
        device.start(docker_image, name, cmd="sh -c 'echo first; sleep 3; echo last'")
        text = "".join(message.msg for message in device.log(name, follow=True))
        assert text == "first\nlast\n"


@pytest.mark.parametrize("fields", [
    {"grpc_timeout": "-1S"}, {"grpc_timeout": "99999999H"}, {"grpc_timeout": "9" * 5000 + "S"},
    {"grpc_encoding": "gzip"}, {"grpc_encoding": "\x7f" * 100}, {"content_type": "text/html"},
    {"content_type": "application/grpc" + "+" * 5000}, {"path": "/" * 5000}, {"path": "*"},
    {"path": "/a/b/c"}, {"path": "/%00/%00"}, {"path": "/\u00e4/\u00f6"}, {"x_bin": "=" * 10},
    {"x_bin": "," * 10000}, {"authorization": "x" * 10000}])
def test_a_strange_request_is_answered(front, fields):
    peer_is_served(front, attacker.frame(
        attacker.HEADERS, attacker.END_HEADERS, 1, attacker.request_fields(**fields))
        + attacker.frame(attacker.DATA, attacker.END_STREAM, 1, attacker.EMPTY_MESSAGE))


@pytest.mark.parametrize("body", [
    b"\0\xff\xff\xff\xff", b"\x01\0\0\0\x01x", b"\xff\0\0\0\0", b"\0\0\0", b"\0\0\0\0\x05abc",
    b"\0\0\0\0\0" * 3000, b"\0\0\0\0\x03\xff\xff\xff"])
def test_a_strange_message_is_answered(front, body):
    peer_is_served(front, attacker.request(1, body=body))


def peer_is_served(front, pieces):
    """The server answers stream 1, one way or another, and the connection goes on."""
    with front.attacks.greeted() as peer:
        peer.send(pieces)

        def ended():
            assert peer.read(0.05), "the server hung up"
            return any(stream == 1 and (kind == attacker.RST_STREAM or kind in (
                attacker.DATA, attacker.HEADERS) and flags & attacker.END_STREAM)
                for kind, flags, stream, _ in peer.frames)

        wait_until(ended, "an answer")
        peer.frames.clear()
        peer.send(attacker.request(3))
        peer.wait_for(attacker.HEADERS)
    assert front.reasons() == []


@pytest.mark.parametrize("option, value", [
    ("--max-connections", "0"), ("--max-streams", "x"), ("--stall-timeout", "-1"),
    ("--handshake-timeout", "0"), ("--header-timeout", "inf"), ("--idle-timeout", "nan"),
    ("--request-timeout", "-1"), ("--max-rpcs-per-principal", "0"), ("--login-timeout", "-1"),
    ("--max-header-size", "1"), ("--max-buffered", "1")])
def test_limits_that_make_no_sense_are_refused(option, value):
    with contextlib.closing(Daemon("containerzd", f"{option}={value}", wait=False)) as daemon:
        assert daemon.process.wait(DEADLINE) == 64
        assert option in daemon.text()
