"""Attacks on the transport: what a client gains by withholding windows or by repeating handshakes."""

import concurrent.futures
import contextlib
import os
import re
import resource
import socket
import ssl
import statistics
import struct
import subprocess
import threading
import time

import pytest

import attacker
import gnoi
import pki
from gnoi import DEADLINE, Code
from harness import AUTHZ_POLICY, PROGRAMS, Daemon, free_port, wait_until

CANCEL = 8
NO_ERROR = 0
LIST_VOLUME = "/gnoi.containerz.Containerz/ListVolume"
REQUEST = attacker.END_HEADERS


class Front:
    """A containerzd with limits of its own."""

    def __init__(self, stack, certificates, *options, server=None):
        self.certificates = certificates
        self.port = free_port()
        certificate, key = server or certificates.server
        self.daemon = Daemon(
            "containerzd", "--listen", f"127.0.0.1:{self.port}", "--runtime-socket",
            stack.runtime_socket, "--tls-cert", certificate, "--tls-key", key, "--client-ca",
            certificates.authority.certificate, "--plugin-dir", stack.folder / "plugins",
            "--authz-policy", AUTHZ_POLICY, *options)
        self.attacks = attacker.Attacks(self.port, certificates)

    def channel(self, client="reader"):
        return gnoi.secure_channel(
            self.port, self.certificates.authority, getattr(self.certificates, client),
            [("grpc.use_local_subchannel_pool", 1)])

    def reasons(self):
        """The lines of the log that say why a connection ended."""
        return [line for line in self.daemon.text().splitlines() if "a connection ended" in line]


# Nothing but the deadline may end a stream.
PATIENT = ("--stall-timeout", "3600", "--request-timeout", "3600", "--idle-timeout", "3600")


@pytest.fixture
def front(request, docker_stack, certificates):
    it = Front(docker_stack, certificates, *getattr(request, "param", PATIENT))
    with it.daemon:
        yield it


def blocked_request(peer, deadline=None, path=attacker.LIST_IMAGE, ends=True):
    """Sends a request on a new stream; the stream's number."""
    stream = peer.next_stream()
    fields = attacker.request_fields(path, **({"grpc_timeout": deadline} if deadline else {}))
    peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, stream, fields)
              + attacker.frame(attacker.DATA, attacker.END_STREAM if ends else 0, stream,
                               attacker.EMPTY_MESSAGE))
    return stream


def endings(peer):
    """How the server ended each stream: with a reset's code, or END_STREAM."""
    found = {}
    for kind, flags, stream, payload in peer.frames:
        if kind == attacker.RST_STREAM:
            found.setdefault(stream, struct.unpack(">I", payload)[0])
        elif kind in (attacker.DATA, attacker.HEADERS) and flags & attacker.END_STREAM:
            found.setdefault(stream, "END_STREAM")
    return found


def wait_for_endings(peer, streams, patience=DEADLINE):
    def ended():
        assert peer.read(0.05), "the server closed the connection"
        return streams <= endings(peer).keys()
    wait_until(ended, f"the end of streams {sorted(streams)}", patience)
    return endings(peer)


def test_status_without_messages_is_not_held_back_by_a_window_of_zero(front, unique):
    """HEADERS and trailers of an answer without messages; only DATA is flow controlled."""
    request = gnoi.messages.ListVolumeRequest(
        filter=[{"key": "name", "value": [unique("missing")]}]).SerializeToString()
    with front.attacks.greeted(initial_window_size=0) as peer:
        stream = peer.next_stream()
        peer.send(attacker.request(
            stream, LIST_VOLUME, b"\0" + struct.pack(">I", len(request)) + request))
        assert wait_for_endings(peer, {stream}, 10) == {stream: "END_STREAM"}


def test_stream_with_a_window_of_zero_ends_at_its_deadline(front, docker_image):
    """Handlers that have returned, whose answers wait for the window."""
    with front.attacks.greeted(initial_window_size=0) as peer:
        streams = {blocked_request(peer, "300m") for _ in range(100)}
        found = wait_for_endings(peer, streams, 10)
        assert {found[stream] for stream in streams} == {CANCEL}
        # All places are free again.
        peer.frames.clear()
        streams = {blocked_request(peer, "300m") for _ in range(100)}
        assert {code for code in wait_for_endings(peer, streams, 10).values()} == {CANCEL}
    assert front.reasons() == []


def test_stream_that_sends_a_request_without_end_ends_at_its_deadline(front):
    """Neither side has ended the stream; the handler waits for the rest of the request."""
    with front.attacks.greeted(initial_window_size=0) as peer:
        stream = peer.next_stream()
        peer.send(attacker.frame(
            attacker.HEADERS, attacker.END_HEADERS, stream,
            attacker.request_fields("/gnoi.containerz.Containerz/Deploy", grpc_timeout="300m")))
        assert wait_for_endings(peer, {stream}, 10)[stream] == "END_STREAM"
        # And the half that the client has not ended is closed as well.
        wait_until(lambda: peer.read(0.05) and any(
            kind == attacker.RST_STREAM and number == stream
            for kind, _, number, _ in peer.frames), "RST_STREAM")
        assert endings(peer)


@pytest.mark.parametrize("method", ["Flood", "Wait"])
def test_handler_that_waits_for_the_window_ends_at_the_deadline(echo_server, method):
    """A handler in the middle of writing, and one that has written a message and sleeps."""
    with attacker.Attacker(echo_server.plain_port) as peer:
        peer.greet(initial_window_size=0)
        streams = {blocked_request(peer, "300m", f"/interop.Echo/{method}") for _ in range(20)}
        assert {*wait_for_endings(peer, streams, 10).values()} == {CANCEL}


@pytest.mark.parametrize(
    "front", [("--stall-timeout", "1", "--request-timeout", "3600")], indirect=True)
def test_window_opened_a_byte_at_a_time_is_no_progress(front, docker_image):
    """Without a deadline the stall timeout ends the stream, whose handler has returned."""
    with front.attacks.greeted(initial_window_size=0) as peer:
        # Keeps the connection in use, so that only the stalled stream is ended.
        waiting = peer.next_stream()
        peer.send(attacker.frame(attacker.HEADERS, attacker.END_HEADERS, waiting,
                                 attacker.request_fields()))
        stream = blocked_request(peer)
        started = time.monotonic()

        def ended():
            peer.send(attacker.frame(
                attacker.WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)))
            assert peer.read(0.2), "the server closed the connection"
            return endings(peer).get(stream) == CANCEL

        wait_until(ended, "a reset", 20)
        assert time.monotonic() - started < 10


# --- Key exchange ---


def negotiate(port, certificates, *options):
    """A handshake by openssl; the group, or None when it failed."""
    certificate, key = certificates.client
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "h2", "-CAfile",
         certificates.authority.certificate, "-cert", certificate, "-key", key, *options],
        input=b"", capture_output=True, timeout=DEADLINE)
    text = done.stdout.decode(errors="replace")
    if "Verify return code: 0" not in text or "Cipher is (NONE)" in text:
        return None
    found = re.search(r"Server Temp Key: ([\w-]+)", text)
    return found and found[1]


@pytest.mark.parametrize("groups, name", [
    ("X25519", "X25519"), ("P-256", "ECDH"), ("P-384", "ECDH"), ("X448", None), ("P-521", None),
    ("ffdhe2048", None), ("ffdhe3072", None), ("ffdhe4096", None), ("ffdhe6144", None),
    ("ffdhe8192", None), ("ffdhe8192:P-384", "ECDH"), ("X448:ffdhe2048:X25519", "X25519")])
def test_only_cheap_groups_are_negotiated(front, groups, name):
    """Also where the client's key share is of another group, so that it is asked for a second."""
    assert negotiate(front.port, front.certificates, "-tls1_3", "-groups", groups) == name


# The server's certificate is of P-256, which a client of TLS 1.2 must offer as well.
@pytest.mark.parametrize("groups, name", [
    ("X25519:P-256", "X25519"), ("P-256", "ECDH"), ("X448:P-521:P-256", "ECDH"), ("P-521", None)])
def test_only_cheap_curves_are_negotiated_by_tls_1_2(front, groups, name):
    assert negotiate(front.port, front.certificates, "-tls1_2", "-groups", groups) == name


@pytest.mark.parametrize("cipher", ["DHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256"])
def test_finite_field_and_static_key_exchange_of_tls_1_2_are_refused(front, cipher):
    assert negotiate(front.port, front.certificates, "-tls1_2", "-cipher", cipher) is None


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe8192", "P-521"])
def test_client_refuses_a_server_that_wants_an_expensive_group(certificates, group):
    """cz, which has the client half of the transport."""
    port = free_port()
    certificate, key = certificates.server
    with subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key",
             key, "-alpn", "h2", "-groups", group], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            wait_until(lambda: b"ACCEPT" in server.stdout.readline(), "openssl to listen")
            ours, our_key = certificates.client
            done = subprocess.run(
                [PROGRAMS / "cz", "image", "list", "--target", f"localhost:{port}", "--ca",
                 certificates.authority.certificate, "--cert", ours, "--key", our_key,
                 "--timeout", "5s"], capture_output=True, text=True, timeout=DEADLINE)
        finally:
            server.kill()
    assert done.returncode != 0
    assert "handshake failure" in done.stderr, done.stderr
