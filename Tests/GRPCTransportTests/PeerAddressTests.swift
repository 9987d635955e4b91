import GRPCTransport
import SystemIO
import Testing

@Suite("Where requests come from") struct PeerAddressTests {
    @Test(
        "One address, or what one peer may have of them",
        arguments: [
            ("ipv4:192.0.2.1:5", "ipv4:192.0.2.1"),
            ("ipv6:[::ffff:192.0.2.1]:5", "ipv4:192.0.2.1"),
            ("ipv6:[2001:db8:1:2:3:4:5:6]:5", "ipv6:20:1:d:b8:0:1:0:2/64"),
            ("ipv6:[2001:db8:1:2::9]:7", "ipv6:20:1:d:b8:0:1:0:2/64"),
            ("ipv6:[fe80::1%eth0]:5", "ipv6:fe:80:0:0:0:0:0:0/64"),
            ("unix:", "unix:unknown"), ("unknown", "unknown"),
        ])
    func networks(_ peer: String, _ network: String) {
        #expect(PeerAddress.network(of: peer, nil) == network)
    }

    @Test(
        "Users of a unix socket count apart, whatever they call their end",
        arguments: ["unix:", "unix:@name", "unix:/run/name", "unix:@ipv4:192.0.2.1:5"])
    func users(_ peer: String) {
        let user = PeerCredentials(userID: 1000)
        #expect(PeerAddress.network(of: peer, user) == "unix:1000")
    }
}
