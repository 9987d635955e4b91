import Glibc
import SystemIO

/// Goes on with the TLS handshakes of a server, one at a time, on a thread of their own: a step with
/// an RSA key of 4096 bits takes several milliseconds, in which the loop serves the connections that
/// are open.
@EventLoop
final class HandshakeScheduler {
    private struct Entry {
        let connection: HTTP2Connection
        let source: String
    }

    private var queue: HandshakeQueue<ObjectIdentifier>
    private var entries: [ObjectIdentifier: Entry] = [:]
    private var timer: EventLoop.Timer?
    private var isBusy = false
    private let worker = HandshakeWorker()

    /// How long the thread is kept without handshakes.
    private static let threadIdleTimeout: Duration = .seconds(1)

    init(_ limits: HandshakeQueue<ObjectIdentifier>.Limits) {
        queue = HandshakeQueue(limits, at: .now)
    }

    isolated deinit {
        timer?.cancel()
        worker.stop()
    }

    /// Whether the handshake waits for its turn.
    func isWaiting(_ connection: HTTP2Connection) -> Bool {
        entries[ObjectIdentifier(connection)] != nil
    }

    /// The peer has sent something, with which the handshake can go on.
    func enqueue(_ connection: HTTP2Connection, from source: String) {
        let id = ObjectIdentifier(connection)
        guard entries[id] == nil else { return }
        entries[id] = Entry(connection: connection, source: source)
        queue.append(id, from: source, at: .now)
        run()
    }

    /// The connection is over.
    func remove(_ connection: HTTP2Connection) {
        let id = ObjectIdentifier(connection)
        guard entries.removeValue(forKey: id) != nil else { return }
        queue.remove(id)
    }

    private func run() {
        timer?.cancel()
        timer = nil
        guard !isBusy else { return }
        let now = ContinuousClock.now
        switch queue.next(at: now) {
        case .idle:
            timer = EventLoop.Timer(after: Self.threadIdleTimeout) { [worker] in worker.stop() }
        case .wait(let time):
            timer = EventLoop.Timer(after: time - now) { [weak self] in self?.run() }
        case .run(let id):
            guard let entry = entries.removeValue(forKey: id),
                let handshake = entry.connection.channel.lendHandshake()
            else { return run() }
            isBusy = true
            worker.carryOut { [weak self] in
                let before = Self.processorTime()
                let outcome = Result { try handshake.advance() }
                let cost = Self.processorTime() - before
                EventLoop.enqueue { self?.ended(entry, outcome, cost) }
            }
        }
    }

    private func ended(
        _ entry: Entry, _ outcome: Result<Channel.Progress, any Error>, _ cost: Duration
    ) {
        isBusy = false
        queue.spent(cost, by: entry.source, at: .now)
        entry.connection.channel.handshakeReturned()
        entry.connection.handshakeAdvanced(outcome)
        run()
    }

    /// Of the thread: what others do on the processor meanwhile is not the source's fault.
    private nonisolated static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
