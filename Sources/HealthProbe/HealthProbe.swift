import SystemIO

/// Where to ask whether a program is well.
public enum HealthProbe: Hashable, Sendable, CustomStringConvertible {
    /// A status from 200 to 399 is good.
    case http(url: String)
    /// A connection that is accepted is good.
    case tcp(host: String, port: UInt16)
    /// SERVING is good (gRPC Health Checking Protocol, `Check`); an empty service stands for the
    /// server as a whole.
    case grpc(host: String, port: UInt16, service: String)

    /// Parses `http://…`, `https://…`, `tcp://HOST:PORT` or `grpc://HOST:PORT[/SERVICE]`.
    ///
    /// - Throws: ``HealthProbeError`` with a sentence for the user.
    public init(parsing text: String) throws(HealthProbeError) {
        let wrong = HealthProbeError(
            "'\(text)' is none of http://…, https://…, tcp://HOST:PORT and "
                + "grpc://HOST:PORT[/SERVICE]")
        guard let separator = text.firstRange(of: "://") else { throw wrong }
        let rest = text[separator.upperBound...]
        let host = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(host.count).dropFirst()
        guard !host.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw wrong }
        switch text[..<separator.lowerBound] {
        case "http", "https": self = .http(url: text)
        case "tcp":
            let (host, port) = try Self.address(host, in: text)
            guard path.isEmpty else { throw wrong }
            self = .tcp(host: host, port: port)
        case "grpc":
            let (host, port) = try Self.address(host, in: text)
            self = .grpc(host: host, port: port, service: String(path))
        default: throw wrong
        }
    }

    private static func address(
        _ text: Substring, in url: String
    ) throws(HealthProbeError) -> (String, UInt16) {
        let address: SocketAddress
        do throws(SocketAddressError) {
            address = try SocketAddress(parsing: String(text))
        } catch {
            throw HealthProbeError("\(error)")
        }
        guard case .tcp(let host, let port) = address else {
            throw HealthProbeError("'\(url)' has no Internet address")
        }
        return (host, port)
    }

    /// The probe that a container's labels ask for: `org.containerz.health.http` is `PORT/PATH`,
    /// `.tcp` is `PORT`, `.grpc` is `PORT[/SERVICE]`. The host is never theirs to say.
    ///
    /// - Parameter host: where the container itself is reached.
    /// - Returns: nil when there is no such label.
    /// - Throws: ``HealthProbeError`` that names the label.
    public init?(labels: [String: String], host: String) throws(HealthProbeError) {
        let known = ["http", "tcp", "grpc"].filter { labels[Self.prefix + $0] != nil }
        guard let kind = known.first, let value = labels[Self.prefix + kind] else { return nil }
        guard known.count == 1 else {
            throw HealthProbeError("only one of \(Self.prefix){http,tcp,grpc} can be given")
        }
        let digits = value.prefix { $0.isNumber }
        let path = value.dropFirst(digits.count)
        guard let port = UInt16(digits), port > 0, path.isEmpty || path.hasPrefix("/"),
            kind != "tcp" || path.isEmpty,
            value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            let form = ["http": "PORT/PATH", "tcp": "PORT", "grpc": "PORT[/SERVICE]"][kind] ?? ""
            throw HealthProbeError("\(Self.prefix)\(kind) is '\(value)', not \(form)")
        }
        let bracketed = host.contains(":") ? "[\(host)]" : host
        switch kind {
        case "http": self = .http(url: "http://\(bracketed):\(port)\(path.isEmpty ? "/" : path)")
        case "tcp": self = .tcp(host: host, port: port)
        default: self = .grpc(host: host, port: port, service: String(path.dropFirst()))
        }
    }

    private static let prefix = "org.containerz.health."

    public var description: String {
        switch self {
        case .http(let url): url
        case .tcp(let host, let port): "tcp://\(SocketAddress.tcp(host: host, port: port))"
        case .grpc(let host, let port, let service):
            "grpc://\(SocketAddress.tcp(host: host, port: port))/\(service)"
        }
    }
}

/// A probe that is not written as it should be, or one that did not go well.
public struct HealthProbeError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
