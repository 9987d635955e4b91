import SystemIO
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9339", SocketAddress.tcp(host: "127.0.0.1", port: 9339)),
        ("[::1]:80", .tcp(host: "::1", port: 80)),
        ("[fe80::1%eth0]:80", .tcp(host: "fe80::1%eth0", port: 80)),
        ("device.example:1", .tcp(host: "device.example", port: 1)),
        ("unix:/run/x.sock", .unix(path: "/run/x.sock")),
    ])
    func parsesAndPrints(text: String, address: SocketAddress) throws {
        #expect(try SocketAddress(parsing: text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":1", "host", "host:", "host:65536", "[::1", "[::1]80", "::1:80", "unix:",
        "[device]:80", "device]:80", "[::1%", "::x:1", "a:b:c",
    ])
    func refuses(text: String) {
        #expect(throws: SocketAddressError.self) { try SocketAddress(parsing: text) }
    }

    @Test(arguments: ["unix", "[unix]", "::x"])
    func refusesWithADefaultPort(text: String) {
        #expect(throws: SocketAddressError.self) {
            try SocketAddress(parsing: text, defaultPort: 9339)
        }
    }

    @Test func takesTheDefaultPort() throws {
        #expect(
            try SocketAddress(parsing: "device", defaultPort: 9339)
                == .tcp(host: "device", port: 9339))
        #expect(
            try SocketAddress(parsing: "fe80::1", defaultPort: 9339)
                == .tcp(host: "fe80::1", port: 9339))
    }

    @Test(arguments: [
        ("127.9.9.9:1", true), ("[::1]:1", true), ("[0:0::1]:1", true), ("localhost:1", true),
        ("unix:/run/x.sock", true), ("0.0.0.0:1", false), ("[::]:1", false), ("[::2]:1", false),
        ("[fe80::1]:1", false), ("126.0.0.1:1", false), ("127.example:1", false),
    ])
    func knowsWhatOnlyThisMachineReaches(text: String, isLoopback: Bool) throws {
        #expect(try SocketAddress(parsing: text).isLoopback == isLoopback)
    }
}
