import ArgumentParser
import HealthProbe
import SystemIO

/// Where to ask whether a device is well; `{host}` stands for the device's own address.
struct HealthArgument: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let description: String

    private static let placeholder = "{host}"

    init?(argument: String) {
        description = argument
        guard (try? probe(of: .tcp(host: "localhost", port: 1))) != nil else { return nil }
    }

    /// - Throws: what the text is no probe for.
    func probe(of device: SocketAddress) throws -> HealthProbe {
        let host =
            switch device {
            case .unix: "localhost"
            case .tcp(let host, _): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
            }
        let parts = description.split(
            separator: Self.placeholder, omittingEmptySubsequences: false)
        return try HealthProbe(parsing: parts.joined(separator: host))
    }
}
