import GNOI
import GRPCCore
import ServerAddress
import SwiftProtobuf
import Testing

@testable import ContainerzService

@Suite("What cz-pull is told to fetch")
struct RemoteDownloadTests {
    private var pull: PullConfiguration {
        var pull = PullConfiguration()
        pull.cache = "/cache"
        pull.registries = "/registries.json"
        pull.authfile = "/auth.json"
        pull.knownHosts = "/known_hosts"
        return pull
    }

    private func arguments(
        _ path: String, _ scheme: Gnoi_Common_RemoteDownload.ProtocolEnum = .https,
        hosts: [String]? = nil, _ change: (inout Gnoi_Common_RemoteDownload) -> Void = { _ in }
    ) throws -> [String] {
        try download(path, scheme, hosts: hosts, change).arguments
    }

    private func download(
        _ path: String, _ scheme: Gnoi_Common_RemoteDownload.ProtocolEnum,
        hosts: [String]? = nil, _ change: (inout Gnoi_Common_RemoteDownload) -> Void
    ) throws -> RemoteDownload {
        var transfer = Gnoi_Containerz_ImageTransfer()
        transfer.name = "web"
        transfer.tag = "1"
        transfer.remoteDownload = .with {
            $0.path = path
            $0.protocol = scheme
            change(&$0)
        }
        var pull = pull
        pull.hosts = hosts?.compactMap { HostPattern($0) }
        return try RemoteDownload(transfer, pull)
    }

    private static let begin = ["--json", "--output", "-", "--deny-local"]

    @Test("The device's own credentials are not for requests without encryption")
    func authfile() throws {
        let files = ["--cache", "/cache", "--registries", "/registries.json"]
        #expect(
            try arguments("r.example/web:1")
                == Self.begin + ["--format", "oci"] + files
                + ["--authfile", "/auth.json", "--", "r.example/web:1"])
        #expect(
            try arguments("r.example/web:1", .http)
                == Self.begin + ["--format", "oci", "--plain-http"] + files
                + ["--", "r.example/web:1"])
    }

    @Test("Files come from servers whose keys are known")
    func files() throws {
        #expect(
            try arguments("files.example:/web.tar", .sftp)
                == Self.begin + [
                    "--format", "as-is", "--known-hosts", "/known_hosts", "--",
                    "sftp://files.example/web.tar",
                ])
        #expect(
            try arguments("files.example/web.tar.gz")
                == Self.begin + ["--format", "as-is", "--", "https://files.example/web.tar.gz"])
    }

    @Test("The way out is an address or a VRF, said as libcurl wants it")
    func interface() throws {
        func options(_ change: (inout Gnoi_Common_RemoteDownload) -> Void) throws -> [String] {
            try arguments("r.example/web:1", .https, change).drop { $0 != "--interface" }
                .prefix { $0 != "--" }.map(\.self)
        }
        #expect(
            try options { $0.sourceAddress = "192.0.2.1" } == ["--interface", "host!192.0.2.1"])
        #expect(try options { $0.sourceVrf = "mgmt" } == ["--interface", "if!mgmt"])
        for (address, vrf) in [("192.0.2.1", "mgmt"), ("if!x", ""), ("", "a b"), ("", "a!b")] {
            #expect(throws: RequestError.self) {
                try options {
                    $0.sourceAddress = address
                    $0.sourceVrf = vrf
                }
            }
        }
    }

    @Test("A password goes to standard input alone")
    func password() throws {
        let given = try download("r.example/web:1", .https) {
            $0.credentials.username = "--robot"
            $0.credentials.cleartext = "s3cret"
        }
        #expect(given.password == "s3cret")
        #expect(!given.arguments.contains { $0.contains("s3cret") })
        #expect(
            given.arguments.suffix(4)
                == ["--username=--robot", "--password-stdin", "--", "r.example/web:1"])
        for password in ["a\nb", "a\0b", String(repeating: "x", count: 4097)] {
            #expect(throws: RequestError.self) {
                try arguments("r.example/web:1") {
                    $0.credentials.username = "robot"
                    $0.credentials.cleartext = password
                }
            }
        }
    }

    @Test("What looks like an option is none")
    func options() throws {
        #expect(throws: (any Error).self) { try arguments("--output") }
        #expect(throws: (any Error).self) { try arguments("--load/web:1") }
        #expect(throws: RequestError.self) { try arguments("r.example/web:1", .unknown) }
    }

    @Test("Hosts that are named exactly may have addresses of the device")
    func localHosts() throws {
        #expect(
            try arguments("r.example/web:1", hosts: ["r.example", "*", "localhost:5000"]).prefix(8)
                == Self.begin + ["--allow-local", "r.example", "--allow-local", "localhost:5000"])
    }

    @Test(
        "Hosts that clients may name",
        arguments: [
            ("r.example/web:1", true), ("R.EXAMPLE/web:1", true), ("r.example:5000/web:1", true),
            ("a.b.example/web:1", true), ("b.example/web:1", false),
            ("evilb.example/web:1", false), ("localhost:1/web:1", false),
            ("[::1]:5000/web:1", false),
        ])
    func hosts(path: String, isAllowed: Bool) throws {
        do {
            _ = try arguments(path, hosts: ["r.example", "*.b.example"])
            #expect(isAllowed)
        } catch let error as RPCError {
            #expect(!isAllowed && error.code == .permissionDenied)
        }
    }
}
