"""Who gets through TLS, with Python's gRPC as the client."""

import pytest

from gnoi import DEADLINE, Code, code_of, secure_channel


def echo_through(server, authority, identity):
    """The status of one call with a client's certificate, or none, trusting an authority."""
    with secure_channel(server.port, authority, identity,
                        [("grpc.use_local_subchannel_pool", 1)]) as channel:
        return code_of(channel.stream_stream("/interop.Echo/Echo"), iter([b"x"]),
                       timeout=DEADLINE, wait_for_ready=False)


def test_a_client_of_the_right_authority_gets_in(echo_server, certificates):
    assert echo_through(echo_server, certificates.authority, certificates.client) is Code.OK


@pytest.mark.parametrize("identity", ["foreign_client", "expired_client", "server", None])
def test_other_clients_are_turned_away(echo_server, certificates, identity):
    """The server's own certificate is not for clients either."""
    chosen = identity and getattr(certificates, identity)
    assert echo_through(echo_server, certificates.authority, chosen) is Code.UNAVAILABLE


def test_a_client_turns_away_a_server_of_another_authority(echo_server, certificates):
    status = echo_through(echo_server, certificates.other_authority, certificates.client)
    assert status is Code.UNAVAILABLE


def test_the_server_goes_on_after_failed_handshakes(echo_server, certificates):
    for _ in range(20):
        echo_through(echo_server, certificates.authority, certificates.foreign_client)
    assert echo_through(echo_server, certificates.authority, certificates.client) is Code.OK
