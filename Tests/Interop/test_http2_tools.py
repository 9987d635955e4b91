"""The server transport with nghttp2's own tools and openssl."""

import re
import socket
import subprocess

import pytest

from gnoi import DEADLINE, Code
from harness import wait_until

EMPTY_MESSAGE = b"\0\0\0\0\0"


@pytest.fixture
def body(tmp_path):
    """A file with one empty gRPC message."""
    path = tmp_path / "body"
    path.write_bytes(EMPTY_MESSAGE)
    return path


def run(*arguments, input=None):
    result = subprocess.run([*map(str, arguments)], input=input, capture_output=True,
                            timeout=DEADLINE)
    return result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")


def nghttp(server, method, body, *headers, content_type="application/grpc", http_method="POST"):
    """One call by nghttp; the fields of the answer's headers and trailers."""
    fields = [f":method: {http_method}", "te: trailers", f"content-type: {content_type}", *headers]
    options = [option for field in fields for option in ("-H", field)]
    output = run("nghttp", "-v", "--no-dep", *options, "-d", body,
                 f"http://127.0.0.1:{server.plain_port}/interop.Echo/{method}")
    return dict(re.findall(r"\] recv \(stream_id=\d+\) (:?[^:]+): (.*)", output))


def test_an_answer_has_its_status_in_the_trailers(echo_server, body):
    answer = nghttp(echo_server, "Echo", body)
    assert answer[":status"] == "200"
    assert answer["content-type"].startswith("application/grpc")
    assert answer["grpc-status"] == "0"


def test_the_server_itself_keeps_the_deadline(echo_server, body):
    answer = nghttp(echo_server, "Wait", body, "grpc-timeout: 200m")
    assert answer["grpc-status"] == str(Code.DEADLINE_EXCEEDED.value[0])


def test_text_is_percent_encoded(echo_server, body):
    answer = nghttp(echo_server, "Fail", body)
    assert answer["grpc-message"] == "50%25 of %C3%BC%0Afailed"


def test_what_is_not_grpc_is_an_http_error(echo_server, body):
    assert nghttp(echo_server, "Echo", body, content_type="text/plain")[":status"] == "415"


def test_another_method_than_post_is_no_rpc(echo_server, body):
    answer = nghttp(echo_server, "Echo", body, http_method="PUT")
    assert answer[":status"] in ("400", "405") or answer["grpc-status"] != "0"


def test_an_unreadable_deadline_is_refused(echo_server, body):
    answer = nghttp(echo_server, "Echo", body, "grpc-timeout: soon")
    assert answer[":status"] == "400" or answer["grpc-status"] not in ("0", "4")


@pytest.mark.parametrize("streams", [1, 50])
def test_h2load_sees_every_request_succeed(echo_server, body, streams):
    output = run("h2load", "-n", "5000", "-c", "4", "-m", streams, "-d", body,
                 "-H", "content-type: application/grpc", "-H", "te: trailers",
                 f"http://127.0.0.1:{echo_server.plain_port}/interop.Echo/Echo")
    assert re.search(r"5000 succeeded, 0 failed, 0 errored, 0 timeout", output), output


def s_client(server, certificates, *options):
    certificate, key = certificates.client
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}",
               "-CAfile", certificates.authority.certificate, "-cert", certificate, "-key", key,
               "-verify_return_error", "-servername", "localhost", *options, input=b"")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_tls_versions_that_are_spoken(echo_server, certificates, version):
    output = s_client(echo_server, certificates, "-alpn", "h2",
                      "-" + version.lower().replace(".", "_").replace("v", ""))
    assert "Verify return code: 0 (ok)" in output, output
    assert "ALPN protocol: h2" in output
    assert re.search(rf"(Protocol +: |New, ){re.escape(version)}", output), output


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_tls_versions_that_are_refused(echo_server, certificates, version):
    output = s_client(echo_server, certificates, "-alpn", "h2", f"-{version}",
                      "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in output, output


def test_another_protocol_than_h2_is_refused(echo_server, certificates):
    output = s_client(echo_server, certificates, "-alpn", "http/1.1")
    # Versions of OpenSSL name the alert in one of these ways.
    assert re.search(r"alert number 120|no application protocol|reason\(1120\)", output), output


def test_http_1_on_the_plain_port_ends_the_connection(echo_server):
    with socket.create_connection(("127.0.0.1", echo_server.plain_port), DEADLINE) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: peer.recv(4096) == b"", "the server to hang up")


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\xff" * 100, b"SSH-2.0-x\r\n" * 10])
@pytest.mark.parametrize("port", ["port", "plain_port"])
def test_garbage_ends_the_connection(echo_server, port, garbage):
    with socket.create_connection(("127.0.0.1", getattr(echo_server, port)), DEADLINE) as peer:
        peer.sendall(garbage)

        def hung_up():
            try:
                return peer.recv(4096) == b""
            except ConnectionResetError:
                return True

        wait_until(hung_up, "the server to hang up")
