import GRPCCore
import Glibc
import SystemIO

/// The connection of a client and those who wait for it.
@EventLoop
final class ClientCore {
    private enum State {
        case idle
        case connecting
        case ready(ClientConnection)
        case stopped
    }

    private struct PendingCall {
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
    private var waiters: [UInt64: PendingCall] = [:]
    private var nextWaiter: UInt64 = 0
    private var connections: [ObjectIdentifier: ClientConnection] = [:]
    private let demand: AsyncStream<Void>
    private let demandSignal: AsyncStream<Void>.Continuation
    private var isDraining = false
    /// Woken when it is time for the next attempt, or there will be none.
    private let rested = Waiter()
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
                    let timer = EventLoop.Timer(after: backoff) { [rested] in rested.wake() }
                    try? await rested.wait()
                    timer.cancel()
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
                waiters[identifier] = PendingCall(
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
        guard isDraining, connections.isEmpty else { return }
        drained?.resume()
        drained = nil
    }

    func drain() {
        isDraining = true
        demandSignal.finish()
        failWaiters(Self.shutDown, all: true)
        rested.wake()
        for connection in connections.values { connection.drain() }
    }

    func stop() {
        isDraining = true
        state = .stopped
        demandSignal.finish()
        failWaiters(CancellationError(), all: true)
        rested.wake()
        for connection in connections.values { connection.close(CancellationError()) }
    }
}
