import FoundationEssentials
import Glibc
import SystemIO

/// Hands the chunks of an image from the loop to the thread that unpacks it: one is being read,
/// and whoever brings the next waits until that is begun.
///
/// `@unchecked Sendable`: the state is touched only with the lock held, and the buffer only by
/// the one thread that reads.
public final class ChunkHandoff: ByteSource, @unchecked Sendable {
    private struct State {
        var waiting: Data?
        var end: End?
        var isReaderDone = false
        var writer: CheckedContinuation<Void, Never>?
    }
    private enum End {
        case complete
        case failed(any Error)
    }

    private let condition = Condition()
    private var state = State()
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 16)

    public init() {}

    deinit { buffer.deallocate() }

    // MARK: The loop's side

    /// Brings a chunk and waits until it is being read. After the reader has gone nothing happens.
    public func push(_ chunk: Data) async {
        if chunk.isEmpty { return }
        await withCheckedContinuation { continuation in
            condition.lock()
            defer { condition.unlock() }
            if state.isReaderDone || state.end != nil { return continuation.resume() }
            // Never two: there is one writer, and it waits for the reader's next step.
            state.waiting = chunk
            state.writer = continuation
            condition.signal()
        }
    }

    /// There is no more, or something ended it.
    public func end(_ failure: (any Error)? = nil) {
        condition.lock()
        defer { condition.unlock() }
        if state.end == nil { state.end = failure.map { .failed($0) } ?? .complete }
        resumeWriter()
        condition.signal()
    }

    // MARK: The thread's side

    public func next() throws -> UnsafeRawBufferPointer {
        guard let chunk = try take() else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if buffer.count < chunk.count {
            buffer.deallocate()
            buffer = .allocate(byteCount: chunk.count, alignment: 16)
        }
        chunk.copyBytes(to: buffer)
        return UnsafeRawBufferPointer(rebasing: buffer[..<chunk.count])
    }

    private func take() throws -> Data? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if case .failed(let error) = state.end { throw error }
            if let chunk = state.waiting {
                state.waiting = nil
                resumeWriter()
                return chunk
            }
            if state.end != nil { return nil }
            condition.wait()
        }
    }

    /// Nobody will read any more.
    public func readerIsDone() {
        condition.lock()
        defer { condition.unlock() }
        state.isReaderDone = true
        state.waiting = nil
        resumeWriter()
    }

    private func resumeWriter() {
        let writer = state.writer
        state.writer = nil
        writer?.resume()
    }
}
