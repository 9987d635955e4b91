import GNOI
import GRPCCore
import GRPCTransport
import SystemIO

/// How to reach a device.
public struct Target: Hashable, Sendable, CustomStringConvertible {
    /// The port registered for gNMI and gNOI.
    public static let defaultPort: UInt16 = 9339

    public var address: SocketAddress
    /// nil for plain text.
    public var tls: TLSConfiguration?

    public init(_ address: SocketAddress, tls: TLSConfiguration?) {
        self.address = address
        self.tls = tls
    }

    public var description: String { "\(address)" }
}

/// A connection to a device, and the RPCs it answers.
public struct Device: Sendable {
    let client: Gnoi_Containerz_Containerz.Client<HTTP2ClientTransport>
    let connection: GRPCClient<HTTP2ClientTransport>
    let target: Target
    let credentials: ClientCredentials?
    let options: CallOptions
    /// The most bytes of an image in one message.
    let largestChunk: Int

    /// Under gRPC's 4 MiB for a message.
    public static let usualLargestChunk = 7 << 19

    /// Connects when the first RPC is made, and closes the connection in the end.
    ///
    /// - Parameters:
    ///   - credentials: shared with other connections; read from the target's files when nil.
    ///   - timeout: how long one RPC may take; nil for any time.
    ///   - largestChunk: the most bytes of an image in one message, whatever the device asks for;
    ///     a few times as many are in memory.
    /// - Throws: what `body` throws, and `TLSError` when the certificates cannot be used.
    public static func with<Result: Sendable>(
        _ target: Target, credentials: ClientCredentials? = nil, timeout: Duration? = nil,
        largestChunk: Int = usualLargestChunk,
        _ body: @escaping @Sendable (Device) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTP2ClientTransport.Configuration()
        configuration.userAgent = "cz/\(containerzVersion)"
        let transport = try await HTTP2ClientTransport(
            target: target.address, tls: target.tls, credentials: credentials,
            configuration: configuration)
        var options = CallOptions.defaults
        options.timeout = timeout
        return try await withGRPCClient(transport: transport) { [options] client in
            try await body(
                Device(
                    client: Gnoi_Containerz_Containerz.Client(wrapping: client),
                    connection: client, target: target, credentials: credentials,
                    options: options, largestChunk: largestChunk))
        }
    }
    /// The same device over a new connection, for when this one has ended.
    ///
    /// - Throws: what `body` throws, and `TLSError` when the certificates cannot be used.
    public func again<Result: Sendable>(
        timeout: Duration?, _ body: @escaping @Sendable (Device) async throws -> Result
    ) async throws -> Result {
        try await Self.with(
            target, credentials: credentials, timeout: timeout, largestChunk: largestChunk, body)
    }
}
