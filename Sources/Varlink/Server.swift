import SystemIO

/// Answers calls on any number of listening sockets.
@EventLoop
public final class Server {
    /// Enough for every follower of logs on a device, and few enough to stay within the usual
    /// limit of 1024 descriptors with a descriptor or two passed on each.
    public nonisolated static let maximumConnections = 256

    private let methods: MethodTable
    private let report: @Sendable (any Error) -> Void
    private let onCallEnd: @Sendable @EventLoop (AnsweredCall) -> Void
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var listeners: [Listener] = []
    private var arrivals: AsyncStream<ServerConnection>.Continuation?
    private var draining = false
    /// Whether ``TooManyConnections`` was reported of the crowd there is.
    private var isFull = false

    /// - Parameters:
    ///   - onCallEnd: told of each call when it is over.
    ///   - report: told of peers that break the protocol, whose connection has ended, and of
    ///     connections that cannot be served.
    public init(
        _ information: ServiceInformation, serving services: [Service],
        onCallEnd: @escaping @Sendable @EventLoop (AnsweredCall) -> Void = { _ in },
        report: @escaping @Sendable (any Error) -> Void = { _ in }
    ) {
        methods = MethodTable(
            services + [Introspection.service(information, describing: services)])
        self.onCallEnd = onCallEnd
        self.report = report
    }

    /// Serves until the task is cancelled, which cancels every call, or until
    /// ``beginGracefulShutdown()`` has let the calls under way end.
    public func serve(on listeners: [Listener]) async throws {
        let (stream, arrivals) = AsyncStream.makeStream(of: ServerConnection.self)
        self.arrivals = arrivals
        self.listeners = listeners
        if draining { beginGracefulShutdown() }
        for listener in listeners where !draining {
            try listener.start { [weak self] socket in self?.accept(socket) }
        }
        await withDiscardingTaskGroup { group in
            for await connection in stream {
                group.addTask(executorPreference: EventLoopExecutor.shared) {
                    await connection.run()
                }
            }
            if Task.isCancelled { group.cancelAll() }
        }
        for listener in listeners { listener.close() }
    }

    /// Serves one connected socket, until it ends.
    public func serve(connection socket: consuming StreamSocket) async throws {
        let connection = try makeConnection(socket)
        await connection.run()
    }

    /// Accepts no more, ends idle connections, and the others after their call.
    public func beginGracefulShutdown() {
        draining = true
        for listener in listeners { listener.close() }
        for connection in connections.values { connection.endWhenIdle() }
        arrivals?.finish()
    }

    private func accept(_ socket: consuming StreamSocket) {
        guard !draining else { return }
        guard connections.count < Self.maximumConnections else {
            if !isFull { report(TooManyConnections()) }
            isFull = true
            return
        }
        // Not each time that one of many who try has found room.
        if connections.count < Self.maximumConnections / 2 { isFull = false }
        do throws(SystemError) {
            arrivals?.yield(try makeConnection(socket))
        } catch {
            report(error)
        }
    }

    /// Whoever connects now is not served.
    public struct TooManyConnections: Error, CustomStringConvertible {
        public var description: String {
            "there are \(Server.maximumConnections) connections, and more are closed at once"
        }
    }

    private func makeConnection(
        _ socket: consuming StreamSocket
    ) throws(SystemError) -> ServerConnection {
        let connection = try ServerConnection(socket, methods: methods, onCallEnd: onCallEnd)
        let key = ObjectIdentifier(connection)
        connections[key] = connection
        connection.onEnd = { [weak self] failure in
            self?.connections[key] = nil
            if let failure { self?.report(failure) }
        }
        return connection
    }
}
