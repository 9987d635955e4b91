public import GRPCCore
import Glibc
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

/// The connection of a client and those who wait for it.
@EventLoop
private final class ClientCore {
    private enum State {
        case idle
        case connecting
        case ready(ClientConnection)
        case stopped
    }

    private struct Waiter {
        var continuation: CheckedContinuation<HTTP2Connection, any Error>
        var waitsForReady: Bool
    }

    nonisolated let authority: String
    nonisolated let userAgent: String
    private let target: SocketAddress
    private let serverName: String
    private let context: TLSContext?
    private let configuration: HTTP2ClientTransport.Configuration
    private var state = State.idle
    private var waiters: [UInt64: Waiter] = [:]
    private var nextWaiter: UInt64 = 0
    private var connections: [ObjectIdentifier: ClientConnection] = [:]
    private let demand: AsyncStream<Void>
    private let demandSignal: AsyncStream<Void>.Continuation
    private var isDraining = false
    /// Resumed when the last connection has closed.
    private var drained: CheckedContinuation<Void, Never>?

    init(
        target: SocketAddress, tls: TLSConfiguration?, credentials: ClientCredentials?,
        configuration: HTTP2ClientTransport.Configuration
    ) throws(TLSError) {
        self.target = target
        self.configuration = configuration
        userAgent = configuration.userAgent
        switch target {
        case .tcp(let host, _): serverName = tls?.serverName ?? host
        case .unix: serverName = tls?.serverName ?? "localhost"
        }
        authority =
            switch target {
            case .tcp: "\(target)"
            case .unix: "localhost"
            }
        if let tls {
            context = if let credentials { credentials.context } else { try .client(tls) }
        } else {
            context = nil
        }
        (demand, demandSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Connects whenever there is demand, until drained or stopped.
    func run() async {
        var backoff = configuration.initialBackoff
        for await _ in demand {
            while !waiters.isEmpty, case .idle = state {
                state = .connecting
                do {
                    let connection = try await connect()
                    guard case .connecting = state else { break }
                    guard let usable = connection.connection, connection.isUsable else {
                        throw SystemError("connect", on: "\(target)", code: ECONNRESET)
                    }
                    state = .ready(connection)
                    backoff = configuration.initialBackoff
                    serveWaiters(usable)
                } catch {
                    guard case .connecting = state else { break }
                    state = .idle
                    failWaiters(error)
                    guard !waiters.isEmpty else { break }
                    try? await EventLoop.sleep(for: backoff)
                    backoff = min(backoff * 2, configuration.maximumBackoff)
                }
            }
        }
        await withCheckedContinuation { continuation in
            if connections.isEmpty { continuation.resume() } else { drained = continuation }
        }
    }

    private func connect() async throws -> ClientConnection {
        let connection = ClientConnection()
        connection.onUnusable = { [weak self] in self?.lost($0) }
        connection.onClose = { [weak self] in self?.closed($0) }
        let stream = try await StreamSocket.connect(
            to: target, timeout: configuration.connectTimeout)
        let channel: Channel
        if let context {
            channel = try Channel(stream, context: context, serverName: serverName)
        } else {
            channel = Channel(stream)
        }
        // Nobody would tell it to drain any more.
        guard !isDraining else { throw Self.shutDown }
        connections[ObjectIdentifier(connection)] = connection
        try await connection.start(
            channel,
            configuration: HTTP2ConnectionConfiguration(
                limits: HTTP2Limits(
                    // Servers open no streams.
                    maximumConcurrentStreams: 0, streamWindow: configuration.streamWindow,
                    widestStreamWindow: configuration.widestStreamWindow,
                    maximumHeaderListSize: configuration.maximumHeaderListSize),
                messageLimit: configuration.maximumMessageSize,
                handshakeTimeout: configuration.connectTimeout,
                keepaliveTime: configuration.keepaliveTime,
                keepaliveTimeout: configuration.keepaliveTimeout))
        return connection
    }

    private static var shutDown: RPCError {
        RPCError(code: .failedPrecondition, message: "the client is shut down")
    }

    /// A connection that takes RPCs.
    func connection(waitForReady: Bool) async throws -> HTTP2Connection {
        if let usable { return usable }
        nextWaiter += 1
        let identifier = nextWaiter
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard !Task.isCancelled else {
                    return continuation.resume(throwing: CancellationError())
                }
                // There may be one by now, or nobody left to make one.
                if let usable { return continuation.resume(returning: usable) }
                guard !isDraining else { return continuation.resume(throwing: Self.shutDown) }
                waiters[identifier] = Waiter(
                    continuation: continuation, waitsForReady: waitForReady)
                demandSignal.yield()
            }
        } onCancel: {
            EventLoop.enqueue { self.cancelWaiter(identifier) }
        }
    }

    private var usable: HTTP2Connection? {
        guard case .ready(let connection) = state, connection.isUsable else { return nil }
        return connection.connection
    }

    private var isStopped: Bool {
        if case .stopped = state { true } else { false }
    }

    private func cancelWaiter(_ identifier: UInt64) {
        waiters.removeValue(forKey: identifier)?.continuation.resume(
            throwing: CancellationError())
    }

    private func serveWaiters(_ connection: HTTP2Connection) {
        let waiters = self.waiters
        self.waiters = [:]
        for waiter in waiters.values { waiter.continuation.resume(returning: connection) }
    }

    private func failWaiters(_ error: any Error, all: Bool = false) {
        let failure = RPCError(
            code: .unavailable, message: "cannot connect to \(target): \(reason(error))",
            cause: error)
        for (identifier, waiter) in waiters where all || !waiter.waitsForReady {
            waiters[identifier] = nil
            waiter.continuation.resume(throwing: failure)
        }
    }

    /// The error without the target, which the sentence names already.
    private func reason(_ error: any Error) -> String {
        switch error {
        case let error as SystemError: error.reason
        case let error as ResolutionError: error.reason
        default: "\(error)"
        }
    }

    private func lost(_ connection: ClientConnection) {
        guard case .ready(let current) = state, current === connection else { return }
        state = .idle
        if !waiters.isEmpty { demandSignal.yield() }
    }

    private func closed(_ connection: ClientConnection) {
        connections[ObjectIdentifier(connection)] = nil
        guard isDraining || isStopped, connections.isEmpty else { return }
        drained?.resume()
        drained = nil
    }

    func drain() {
        isDraining = true
        demandSignal.finish()
        failWaiters(Self.shutDown, all: true)
        for connection in connections.values { connection.drain() }
    }

    func stop() {
        isDraining = true
        state = .stopped
        demandSignal.finish()
        failWaiters(CancellationError(), all: true)
        for connection in connections.values { connection.close(CancellationError()) }
    }
}
