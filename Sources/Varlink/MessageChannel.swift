import FoundationEssentials
import Glibc
import SystemIO

/// Messages over one socket, for both sides: one task receives and sends.
///
/// Nothing is read ahead beyond ``readAhead`` while nobody asks for a message, and a send waits
/// while the socket is full, so that a slow peer holds back the work, not the memory.
@EventLoop
final class MessageChannel {
    private var socket: StreamSocket?
    private var watch: Watch?
    private var buffer = MessageBuffer()
    private let readable = Waiter()
    private let writable = Waiter()
    private var wantsMessage = false
    private var wantsToWrite = false
    private var inputEnded = false
    private var failure: ProtocolViolation?
    /// Called once when the peer has closed its end for good.
    var onHangup: (@EventLoop () -> Void)?
    private(set) var hungUp = false

    /// Bytes of later calls to hold while one is under way.
    private static let readAhead = 64 << 10

    init(_ socket: consuming StreamSocket) throws(SystemError) {
        let number = socket.number
        self.socket = consume socket
        watch = try Watch(number, for: .readable) { [weak self] readiness in
            self?.handle(readiness)
        }
    }

    isolated deinit { watch?.cancel() }

    /// Whether nothing was received that nobody asked for, and the peer is still there.
    var isIdle: Bool { !hungUp && !inputEnded && failure == nil && buffer.count == 0 }

    func close() {
        watch?.cancel()
        watch = nil
        socket = nil
        hungUp = true
        readable.wake()
        writable.wake()
    }

    // MARK: Receiving

    /// The next message.
    ///
    /// - Returns: nil when the peer has ended its side between two messages.
    /// - Throws: `ProtocolViolation` or `CancellationError`.
    func receive() async throws -> Message? {
        while true {
            if let message = try buffer.next() {
                updateInterest()
                return message
            }
            if let failure { throw failure }
            if inputEnded || hungUp {
                if buffer.count > 0 { throw ProtocolViolation.endInsideMessage }
                return nil
            }
            wantsMessage = true
            defer { wantsMessage = false }
            updateInterest()
            try await readable.wait()
        }
    }

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.hangup) {
            while read() {}
            inputEnded = true
            hangUp()
        } else if readiness.contains(.readable) {
            _ = read()
        }
        if wantsMessage, failure != nil || inputEnded || hungUp || buffer.isReady {
            readable.wake()
        }
        if readiness.contains(.writable), wantsToWrite { writable.wake() }
        updateInterest()
    }

    /// Reads once; false when there is nothing left to read now.
    private func read() -> Bool {
        guard !inputEnded, failure == nil, buffer.count <= MessageBuffer.longestMessage else {
            return false
        }
        var received: Int? = 0
        buffer.fill { room in
            var descriptors: [CInt] = []
            do {
                received = try socket?.receive(into: room, descriptors: &descriptors) ?? nil
            } catch {
                let isTooMany = (error as? SystemError)?.code == EMSGSIZE
                if isTooMany { failure = .tooManyDescriptors }
                inputEnded = true
            }
            let passed = descriptors.isEmpty ? nil : PassedDescriptors(owning: descriptors)
            return (received ?? 0, passed)
        }
        if buffer.waitingDescriptors > StreamSocket.maximumDescriptors {
            failure = .tooManyDescriptors
            return false
        }
        if received == 0 { inputEnded = true }
        return received.map { $0 > 0 } ?? false
    }

    private func hangUp() {
        watch?.cancel()
        watch = nil
        guard !hungUp else { return }
        hungUp = true
        onHangup?()
    }

    private func updateInterest() {
        var interest: Readiness = []
        if !inputEnded, failure == nil, wantsMessage || buffer.count < Self.readAhead {
            interest.insert(.readable)
        }
        if wantsToWrite { interest.insert(.writable) }
        watch?.wait(for: interest)
    }

    // MARK: Sending

    /// Sends a message, the descriptors with its first byte; they are closed here once sent.
    ///
    /// - Throws: `SystemError` (EPIPE when the peer is gone) or `CancellationError`.
    func send(_ message: consuming Data, descriptors: PassedDescriptors? = nil) async throws {
        message.append(0)
        var passed = descriptors?.borrowed ?? []
        var sent = 0
        while sent < message.count {
            let count = try write(message, from: sent, descriptors: passed)
            if let count {
                sent += count
                passed = []
                descriptors?.close()
                continue
            }
            wantsToWrite = true
            defer { wantsToWrite = false }
            updateInterest()
            try await writable.wait()
        }
    }

    private func write(
        _ message: Data, from offset: Int, descriptors: [CInt]
    ) throws -> Int? {
        guard socket != nil, !hungUp else { throw SystemError("send", code: EPIPE) }
        return try message.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            return descriptors.isEmpty
                ? try socket?.write(rest) ?? nil
                : try socket?.send(rest, descriptors: descriptors) ?? nil
        }
    }
}
