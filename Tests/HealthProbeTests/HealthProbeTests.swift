import Testing

@testable import HealthProbe

@Suite("Health probes")
struct HealthProbeTests {
    @Test(
        "URLs",
        arguments: [
            ("http://host/path", HealthProbe.http(url: "http://host/path")),
            ("https://host:8443", .http(url: "https://host:8443")),
            ("tcp://host:22", .tcp(host: "host", port: 22)),
            ("tcp://[::1]:22", .tcp(host: "::1", port: 22)),
            ("grpc://host:9339", .grpc(host: "host", port: 9339, service: "")),
            ("grpc://host:9339/a.B", .grpc(host: "host", port: 9339, service: "a.B")),
        ])
    func urls(_ text: String, _ probe: HealthProbe) throws {
        #expect(try HealthProbe(parsing: text) == probe)
    }

    @Test(
        "No URLs",
        arguments: [
            "", "http://", "ftp://host", "host:80", "tcp://host", "tcp://host:0x",
            "tcp://host:70000",
            "tcp://host:1/x", "http://a b", "grpc://:", "file:///etc/passwd", "tcp://unix:/run/x",
        ])
    func noURLs(_ text: String) {
        #expect(throws: HealthProbeError.self) { try HealthProbe(parsing: text) }
    }

    @Test(
        "Labels name a port, never a host",
        arguments: [
            (["http": "8080/healthz"], HealthProbe.http(url: "http://10.0.0.2:8080/healthz")),
            (["http": "8080"], .http(url: "http://10.0.0.2:8080/")),
            (["tcp": "22"], .tcp(host: "10.0.0.2", port: 22)),
            (["grpc": "50051/a.B"], .grpc(host: "10.0.0.2", port: 50051, service: "a.B")),
        ])
    func labels(_ labels: [String: String], _ probe: HealthProbe) throws {
        #expect(try HealthProbe(labels: Self.prefixed(labels), host: "10.0.0.2") == probe)
    }

    @Test(
        "Labels that are refused",
        arguments: [
            ["http": "evil.example/"], ["http": "80@evil.example/"], ["http": "80:80/"],
            ["tcp": "22/x"], ["tcp": "0"], ["tcp": "70000"], ["grpc": ""], ["http": "80/a b"],
            ["http": "80/", "tcp": "80"],
        ])
    func badLabels(_ labels: [String: String]) {
        #expect(throws: HealthProbeError.self) {
            try HealthProbe(labels: Self.prefixed(labels), host: "10.0.0.2")
        }
    }

    @Test("Other labels ask for nothing")
    func noLabels() throws {
        let labels = ["org.containerz.health.timeout": "3", "http": "80"]
        #expect(try HealthProbe(labels: labels, host: "10.0.0.2") == nil)
    }

    private static func prefixed(_ labels: [String: String]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: labels.map { ("org.containerz.health.\($0.key)", $0.value) })
    }
}
