import SystemIO

/// From the session to the socket.
extension HTTP2Connection {
    func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        EventLoop.atEndOfTurn { [weak self] in
            guard let self else { return }
            isFlushScheduled = false
            flush()
        }
    }

    func flush() {
        switch state {
        case .handshaking, .closed: return
        case .open, .noticed, .draining: break
        }
        do {
            while true {
                try fill()
                guard try output.write(to: channel) else {
                    watch?.wait(for: [.readable, .writable])
                    watchForStall()
                    return
                }
                if !session.wantsWrite { break }
                if output.isEmpty, try !hasMore() { break }
            }
            watch?.wait(for: .readable)
            if !session.isAlive { closeWithSession() } else { closeWhenDrained() }
        } catch {
            close(error)
        }
    }

    /// Draws one more piece out of the session.
    private func hasMore() throws -> Bool {
        guard let bytes = try session.next() else { return false }
        output.append(bytes)
        return true
    }

    func fill() throws {
        while !output.isFull, try hasMore() {}
    }
}
