import ServerAddress
import Testing

@testable import HTTPClient

@Suite("Addresses that a client may connect to") struct DestinationTests {
    private static let own: Set<NetworkAddress> = Set(
        ["192.0.2.7", "2001:db8::7"].compactMap { NetworkAddress(numeric: $0) })

    @Test(
        arguments: [
            ("127.0.0.1", .loopback), ("127.255.255.254", .loopback), ("127.1", .loopback),
            ("0x7f.1", .loopback), ("2130706433", .loopback), ("017700000001", .loopback),
            ("::1", .loopback), ("0.0.0.0", .unspecified), ("0", .unspecified),
            ("0.1.2.3", .unspecified), ("::", .unspecified), ("169.254.169.254", .linkLocal),
            ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .reserved),
            ("224.0.0.1", .multicast), ("239.255.255.255", .multicast), ("ff02::1", .multicast),
            ("255.255.255.255", .reserved), ("240.0.0.1", .reserved), ("192.0.2.7", .device),
            ("2001:db8::7", .device), ("100.100.100.200", .metadata), ("fd00:ec2::254", .metadata),
            ("168.63.129.16", .metadata),
            // IPv4 within IPv6: mapped, compatible, translated, NAT64 of both kinds, 6to4, Teredo, ISATAP.
            ("::ffff:127.0.0.1", .loopback), ("::ffff:192.0.2.7", .device),
            ("::127.0.0.1", .loopback),
            ("::ffff:0:169.254.169.254", .linkLocal), ("64:ff9b::127.0.0.1", .loopback),
            ("64:ff9b::192.0.2.7", .device), ("64:ff9b::0.0.0.0", .unspecified),
            ("64:ff9b:1::169.254.169.254", .linkLocal), ("64:ff9b:1:7f00:0:100::", .loopback),
            ("2002:7f00:1::1", .loopback), ("2002:c000:207::1", .device),
            ("2001:0:1:2:3:4:80ff:fffe", .loopback), ("2001:db8:1::5efe:127.0.0.1", .loopback),
            ("2001:db8:1::200:5efe:127.0.0.1", .loopback),
        ] as [(String, LocalScope)])
    func denies(_ text: String, _ scope: LocalScope) {
        #expect(NetworkAddress(numeric: text).map { LocalScope(of: $0, own: Self.own) } == scope)
    }

    @Test(arguments: [
        "192.0.2.8", "10.0.0.1", "172.17.0.2", "192.168.1.1", "8.8.8.8", "126.255.255.255",
        "128.0.0.1",
        "169.253.0.1", "223.255.255.255", "2001:db8::8", "fd00::1", "::ffff:192.0.2.8",
        "64:ff9b::192.0.2.8", "64:ff9b:1::192.0.2.8", "64:ff9b:1:c000:2:800::", "2002:c000:208::1",
        "2001:0:1:2:3:4:3fff:fdf7",
    ])
    func allowsOtherHosts(_ text: String) {
        let address = NetworkAddress(numeric: text)
        #expect(address != nil && address.flatMap { LocalScope(of: $0, own: Self.own) } == nil)
    }

    private func policy(_ allowed: String...) -> DestinationPolicy {
        var policy = DestinationPolicy()
        policy.deniesLocal = true
        policy.allowed = allowed.compactMap { HostPattern($0) }
        return policy
    }

    private static let noProxy = ProxySettings { _ in nil }

    @Test(arguments: [
        "http://127.0.0.1/", "https://0x7f.1/", "http://2130706433/", "http://127.1:80/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/",
        "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://%6cocalhost/",
        "http://127.0.0.1./", "sftp://169.254.169.254/x",
    ])
    func deniesBeforeAProxyIsAsked(_ url: String) {
        for proxies in [Self.noProxy, ProxySettings { _ in "http://proxy.example:3128" }] {
            let failure = #expect(throws: HTTPError.self) {
                _ = try Destination(url, policy(), proxies: proxies)
            }
            guard case .addressDenied? = failure?.kind else {
                Issue.record("\(url): \(failure?.reason ?? "")")
                continue
            }
        }
    }

    /// Wide digits, which some resolvers read as others; a name of characters that are not ASCII has
    /// to be in Punycode.
    @Test func refusesHostsThatAreNotASCII() {
        let failure = #expect(throws: HTTPError.self) {
            _ = try Destination(
                "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/", policy(), proxies: Self.noProxy)
        }
        #expect(failure?.kind == .invalid)
    }

    @Test func namesTheHostAndTheAddress() {
        let failure = #expect(throws: HTTPError.self) {
            _ = try Destination("https://0x7f.1/x?secret", policy(), proxies: Self.noProxy)
        }
        #expect(failure?.kind == .addressDenied(host: "127.0.0.1:443"))
        #expect(
            failure?.reason
                == "cannot connect to 127.0.0.1:443: 127.0.0.1 is a loopback address, which is denied"
        )
    }

    @Test func allowsByName() throws {
        func route(_ url: String, _ policy: DestinationPolicy) throws -> Destination.Route {
            try Destination(url, policy, proxies: Self.noProxy).route
        }
        #expect(try route("http://localhost:5000/", policy("localhost:5000")) == .unrestricted)
        #expect(try route("https://localhost/", policy("localhost:443")) == .unrestricted)
        #expect(try route("http://[::1]:5000/", policy("[::1]")) == .unrestricted)
        #expect(try route("http://127.0.0.1/", DestinationPolicy()) == .unrestricted)
        #expect(try route("http://r.example/", policy()) == .judged)
        // Sets of hosts are no statement about this device.
        #expect(try route("http://r.example/", policy("*.example", "*")) == .judged)
        for (url, name) in [
            ("http://localhost:5001/", "localhost:5000"), ("http://127.0.0.1:5000/", "localhost"),
            ("http://localhost/", "*"), ("http://a.localhost/", "*.localhost"),
        ] {
            #expect(throws: HTTPError.self) { _ = try route(url, policy(name)) }
        }
    }

    @Test(
        arguments: [
            ("http", "r.example", "http://p:1"), ("https", "r.example", "http://p:2"),
            ("sftp", "r.example", "socks5://p:3"), ("http", "a.no.example", nil),
            ("http", "no.example.", nil), ("http", "yes-no.example", "http://p:1"),
            ("http", "192.0.2.9", nil), ("http", "192.0.3.9", "http://p:1"),
            ("http", "198.51.100.1", nil), ("https", "2001:db8::5", nil),
        ] as [(String, String, String?)])
    func choosesAProxyAsLibcurlDoes(_ scheme: String, _ host: String, _ proxy: String?) {
        let environment = [
            "http_proxy": "http://p:1", "HTTPS_PROXY": "http://p:2", "ALL_PROXY": "socks5://p:3",
            "HTTP_PROXY": "http://wrong",
            "no_proxy": ".no.example, 192.0.2.0/24 198.51.100.1,2001:db8::/32,other.example",
        ]
        #expect(ProxySettings { environment[$0] }.proxy(for: scheme, host) == proxy)
    }

    @Test func everythingMayBeExempt() {
        let proxies = ProxySettings { ["http_proxy": "http://p", "NO_PROXY": "*"][$0] }
        #expect(proxies.proxy(for: "http", "r.example") == nil)
        #expect(ProxySettings { ["http_proxy": ""][$0] }.proxy(for: "http", "r.example") == nil)
    }
}
