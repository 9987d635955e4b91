import GRPCCore
import SystemIO

/// One RPC's HTTP/2 stream on either side: what came and was not taken, what was written and has
/// not gone out, and who waits for either.
@EventLoop
final class HTTP2Stream {
    /// How far our own side of the stream has come.
    private enum Sending {
        /// Headers have not been sent.
        case idle
        case open
        /// Everything has been handed over, with trailers on a server.
        case ending(HeaderList?)
        case closed
    }

    /// Bytes that may wait to be sent before a writer is held up. Enough to fill a few frames
    /// while the writer makes the next message.
    private static let highWaterMark = 64 << 10
    /// Bytes that must go out, unless nothing is left, for a stream to count as not stalled: one
    /// full frame. A peer that opens its window a byte at a time makes no progress.
    private static let minimumProgress = 16 << 10

    let identifier: Int32
    private weak var connection: HTTP2Connection?

    // Inbound
    var headers = HeaderList()
    private(set) var hasReceivedHead = false
    private var deframer: MessageDeframer
    private var inbound = InboundQueue()
    private var reader: CheckedContinuation<InboundPart?, any Error>?
    private(set) var bytesReceived = 0
    /// How far ahead of us the peer is let be.
    var estimate: WindowEstimate
    private let usualWindow: Int
    private(set) var hasPeerEnded = false
    /// Since when somebody waits for more of what the peer sends without a byte of it coming; nil
    /// while nobody does.
    private(set) var readerWaitsSince: ContinuousClock.Instant?
    private(set) var hasReceivedStatus = false

    // Outbound
    private var sending = Sending.idle
    private var outbound = OutboundMessages()
    private var writers: [CheckedContinuation<Void, any Error>] = []

    /// When the DATA that waits to be sent last made progress; nil while none waits, however long
    /// the RPC is silent.
    private(set) var outputWaitsSince: ContinuousClock.Instant?
    /// Bytes sent since then.
    private var sentSinceProgress = 0
    /// What the connection believes this stream to hold.
    private var reported = 0

    /// Why the stream is over, once it is.
    private var closure: RPCError?
    /// Called once when the stream breaks rather than ends: the RPC is to be cancelled.
    var onBreak: (@EventLoop () -> Void)?
    /// Called once when the stream has closed, whatever the reason.
    var onClose: (@EventLoop () -> Void)?

    init(
        identifier: Int32, connection: HTTP2Connection, messageLimit: Int,
        estimate: WindowEstimate
    ) {
        self.estimate = estimate
        usualWindow = estimate.window
        self.identifier = identifier
        self.connection = connection
        deframer = MessageDeframer(limit: messageLimit)
    }

    /// Tells the connection how much memory is held.
    private func report() {
        let held = inbound.held + deframer.held + outbound.count
        guard held != reported else { return }
        connection?.holds(moreBy: held - reported)
        reported = held
    }

    // MARK: Inbound, from the connection

    var isClosed: Bool { closure != nil }

    func receive(_ part: InboundPart) {
        switch part {
        case .metadata: hasReceivedHead = true
        case .status: hasReceivedStatus = true
        case .message: break
        }
        inbound.append(part)
        report()
        wakeReader()
    }

    /// - Throws: the status that answers what the bytes do not conform to.
    func receive(_ bytes: UnsafeRawBufferPointer) throws(RPCError) {
        bytesReceived += bytes.count
        if readerWaitsSince != nil { readerWaitsSince = .now }
        defer { report() }
        try deframer.append(bytes) { inbound.append(.message($0)) }
        wakeReader()
        releaseWindow()
    }

    /// The peer has ended its side.
    ///
    /// - Throws: INTERNAL when it did so in the middle of a message.
    func receiveEnd() throws(RPCError) {
        hasPeerEnded = true
        guard !deframer.isInsideMessage else {
            throw RPCError(code: .internalError, message: "the stream ended within a message")
        }
        inbound.finish()
        wakeReader()
    }

    /// The stream is over; whoever waits is told why.
    func close(_ error: RPCError) {
        guard closure == nil else { return }
        closure = error
        if estimate.window > usualWindow {
            connection?.narrow(by: estimate.window - usualWindow)
        }
        let endedWell: Bool
        if case .closed = sending, hasPeerEnded { endedWell = true } else { endedWell = false }
        sending = .closed
        outbound.removeAll()
        outputWaitsSince = nil
        deframer.abandon()
        // An answer that came whole is still a client's to read; the handler of an RPC that is over has no use
        // for the rest, which would go on counting against everybody's memory.
        if connection?.isServer ?? true { inbound.discard(error) } else { inbound.fail(error) }
        report()
        wakeReader()
        let writers = self.writers
        self.writers = []
        for writer in writers { writer.resume(throwing: error) }
        let onBreak = self.onBreak
        let onClose = self.onClose
        self.onBreak = nil
        self.onClose = nil
        if !endedWell { onBreak?() }
        onClose?()
    }

    private func wakeReader() {
        guard let reader else { return }
        switch inbound.next() {
        case .wait: return
        case .part(let part): reader.resume(returning: part)
        case .end: reader.resume(returning: nil)
        case .failure(let error): reader.resume(throwing: error)
        }
        self.reader = nil
        readerWaitsSince = nil
        report()
        releaseWindow()
    }

    /// Bytes are the peer's to send again once the reader has taken them. Where it has taken every
    /// whole message, those of an unfinished one are too, since it may be longer than the window:
    /// at most a window and one message are ever held.
    private func releaseWindow() {
        guard let connection, closure == nil, !hasPeerEnded else { return }
        let held = inbound.isEmpty ? 0 : inbound.wireBytes + deframer.gathered
        let count = connection.unreleased(self) - held
        // Telling it of each would cost more than it brings; a wider window is no reason to wait
        // for longer, which would leave part of it unused for all that time.
        if count >= usualWindow / 2 { connection.release(self, count) }
    }

    // MARK: Inbound, to the RPC

    /// The next part; nil at the end.
    func next() async throws -> InboundPart? {
        switch inbound.next() {
        case .part(let part):
            report()
            releaseWindow()
            return part
        case .end: return nil
        case .failure(let error): throw error
        case .wait: break
        }
        guard reader == nil else {
            throw RPCError(code: .internalError, message: "two readers of one stream")
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<InboundPart?, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    reader = continuation
                    readerWaitsSince = .now
                    wakeReader()
                }
            }
        } onCancel: {
            EventLoop.enqueue { self.cancelReader() }
        }
    }

    private func cancelReader() {
        reader?.resume(throwing: CancellationError())
        reader = nil
        readerWaitsSince = nil
    }

    // MARK: Outbound, from the RPC

    var hasSentHead: Bool {
        if case .idle = sending { false } else { true }
    }

    /// Whether our side has been ended, though it may not all have gone out yet.
    var hasEnded: Bool {
        switch sending {
        case .ending, .closed: true
        case .idle, .open: false
        }
    }

    /// Whether our side has been handed over completely, so that nothing of it waits for the
    /// peer's window.
    var hasHandedOverAll: Bool {
        if case .closed = sending { true } else { false }
    }

    /// Whether DATA waits to be sent, for instance for the peer's window.
    var hasPendingData: Bool { outbound.count > 0 }

    /// Notes that the header list has been submitted; `ends` when it was a whole answer.
    func headSent(ends: Bool) {
        guard case .idle = sending else { return }
        sending = ends ? .closed : .open
    }

    /// Queues a message, waiting while too much is queued already.
    func write(_ message: MessageBytes) async throws {
        try requireOpen()
        outbound.append(message)
        report()
        noteOutput()
        connection?.resume(self)
        guard outbound.count > Self.highWaterMark else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if let closure {
                    continuation.resume(throwing: closure)
                } else if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else if outbound.count <= Self.highWaterMark {
                    // The connection may have had its turn since.
                    continuation.resume()
                } else {
                    writers.append(continuation)
                }
            }
        } onCancel: {
            EventLoop.enqueue { self.cancelWriters() }
        }
    }

    private func noteOutput() {
        if outputWaitsSince == nil { outputWaitsSince = .now }
    }

    private func cancelWriters() {
        let writers = self.writers
        self.writers = []
        for writer in writers { writer.resume(throwing: CancellationError()) }
    }

    private func requireOpen() throws {
        if let closure { throw closure }
        guard case .open = sending else {
            throw RPCError(
                code: .failedPrecondition, message: "a message was written outside of the stream")
        }
    }

    /// Ends our side once what is queued has gone out.
    func finish(trailers: HeaderList? = nil) {
        guard closure == nil, case .open = sending else { return }
        end(with: trailers)
    }

    /// Trailers are not subject to flow control (RFC 9113, 5.2.1). nghttp2 asks for them only when
    /// the window has room for DATA, so without DATA before them they are submitted at once.
    private func end(with trailers: HeaderList?) {
        if let trailers, !hasPendingData {
            sending = .closed
            outputWaitsSince = nil
            connection?.sendTrailers(self, trailers)
        } else {
            sending = .ending(trailers)
            noteOutput()
            connection?.resume(self)
        }
    }

    /// Drops what is queued and ends our side with an error's trailers.
    func abandon(trailers: HeaderList) {
        guard closure == nil else { return }
        switch sending {
        case .open, .ending:
            outbound.removeAll()
            report()
            cancelWriters()
            end(with: trailers)
        case .idle, .closed: break
        }
    }

    /// Drops what came and what comes from now on: the reader has gone, or is told why it gets no
    /// more.
    func discardInbound(_ error: RPCError? = nil) {
        inbound.discard(error)
        deframer.abandon()
        report()
        wakeReader()
        releaseWindow()
    }

    // MARK: Outbound, to the connection

    func nextData(into buffer: UnsafeMutableRawBufferPointer) -> OutboundData {
        let count = outbound.read(into: buffer)
        report()
        sentSinceProgress += count
        if outbound.count == 0 {
            outputWaitsSince = nil
            sentSinceProgress = 0
        } else if sentSinceProgress >= Self.minimumProgress {
            outputWaitsSince = .now
            sentSinceProgress = 0
        }
        if outbound.count <= Self.highWaterMark / 2, !writers.isEmpty {
            let writers = self.writers
            self.writers = []
            for writer in writers { writer.resume() }
        }
        if outbound.count == 0, case .ending(let trailers) = sending {
            sending = .closed
            return .last(count, trailers: trailers)
        }
        return count == 0 ? .none : .bytes(count)
    }
}
