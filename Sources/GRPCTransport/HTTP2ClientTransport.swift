public import GRPCCore
public import SystemIO

/// gRPC's client transport over nghttp2 and OpenSSL: one connection to one server, made when it
/// is needed and again when it was lost.
public struct HTTP2ClientTransport: ClientTransport {
    public typealias Bytes = MessageBytes

    /// Limits and timings.
    public struct Configuration: Sendable {
        /// Bytes that the server may send on a stream before they are read.
        public var streamWindow = 1 << 20
        /// What that becomes on a long line.
        public var widestStreamWindow = 16 << 20
        /// The largest message, in bytes; gRPC's own default.
        public var maximumMessageSize = 4 << 20
        /// The largest header list, in bytes as HTTP/2 counts them.
        public var maximumHeaderListSize = 16 << 10
        /// For TCP, TLS and HTTP/2 together.
        public var connectTimeout: Duration = .seconds(10)
        /// Silence after which the server is asked whether it is there; nil for never.
        public var keepaliveTime: Duration? = .seconds(60)
        /// How long it may take to answer that.
        public var keepaliveTimeout: Duration = .seconds(20)
        /// The first pause after a failed attempt, for RPCs that wait until the server is ready;
        /// doubled up to ``maximumBackoff``.
        public var initialBackoff: Duration = .milliseconds(200)
        public var maximumBackoff: Duration = .seconds(30)
        /// The `user-agent` header.
        public var userAgent = "containerz"

        public init() {}
    }

    public let retryThrottle: RetryThrottle? = nil
    private let core: ClientCore

    /// - Parameters:
    ///   - tls: nil for plaintext HTTP/2 with prior knowledge (h2c).
    ///   - credentials: made of the same files, where several connections share them; then only
    ///     the server's name is taken from `tls`.
    /// - Throws: `TLSError` when certificates or keys cannot be used.
    @EventLoop
    public init(
        target: SocketAddress, tls: TLSConfiguration? = nil,
        credentials: ClientCredentials? = nil, configuration: Configuration = Configuration()
    ) throws(TLSError) {
        core = try ClientCore(
            target: target, tls: tls, credentials: credentials, configuration: configuration)
    }

    public func connect() async throws {
        let core = self.core
        await withTaskCancellationHandler {
            await core.run()
        } onCancel: {
            EventLoop.enqueue { core.stop() }
        }
    }

    public func beginGracefulShutdown() {
        let core = self.core
        EventLoop.enqueue { core.drain() }
    }

    public func withStream<T: Sendable>(
        descriptor: MethodDescriptor, options: CallOptions,
        _ closure: (_ stream: RPCStream<Inbound, Outbound>, _ context: ClientContext) async throws
            -> T
    ) async throws -> T {
        let connection = try await core.connection(waitForReady: options.waitForReady ?? false)
        let stream = await ClientStream(
            on: connection, method: descriptor, authority: core.authority,
            userAgent: core.userAgent)
        let context = ClientContext(
            descriptor: descriptor, remotePeer: connection.channel.remotePeer,
            localPeer: connection.channel.localPeer)
        do {
            let result = try await closure(
                RPCStream(
                    descriptor: descriptor,
                    inbound: RPCAsyncSequence(wrapping: ClientStream.Inbound(stream: stream)),
                    outbound: RPCWriter.Closable(wrapping: ClientStream.Outbound(stream: stream))),
                context)
            await stream.end()
            return result
        } catch {
            await stream.end()
            throw error
        }
    }

    public func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? { nil }
}
