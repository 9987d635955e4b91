import SystemIO

/// A request's body, read from a pipe or a file as the peer takes it. It serves one request.
@EventLoop
public final class RequestStream {
    private let descriptor: Descriptor
    private let onRead: (@EventLoop (Int64) -> Void)?
    private var watch: Watch?
    /// Bytes read so far.
    public private(set) var count: Int64 = 0

    enum Outcome {
        case bytes(Int)
        case end
        case notYet
        case failed(SystemError)
    }

    /// - Parameters:
    ///   - descriptor: made non-blocking and closed at the end.
    ///   - onRead: told the count of bytes read so far, after every read.
    public init(
        reading descriptor: consuming Descriptor, onRead: (@EventLoop (Int64) -> Void)? = nil
    ) throws(SystemError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
        self.onRead = onRead
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        do {
            guard let read = try descriptor.read(into: buffer) else { return .notYet }
            if read == 0 { return .end }
            count += Int64(read)
            onRead?(count)
            return .bytes(read)
        } catch {
            return .failed(error)
        }
    }

    /// Calls `handler` once there is something to read.
    func whenReadable(_ handler: @escaping @EventLoop () -> Void) throws(SystemError) {
        if let watch {
            watch.wait(for: .readable)
        } else {
            watch = try Watch(descriptor.number, for: .readable) { [weak self] readiness in
                if readiness.contains(.hangup) {
                    // It would be reported over and over while the peer takes its time; from now
                    // on every read finds bytes or the end, so nothing will be waited for again.
                    self?.stop()
                } else {
                    self?.watch?.wait(for: [])
                }
                handler()
            }
        }
    }

    func stop() {
        watch?.cancel()
        watch = nil
    }
}
