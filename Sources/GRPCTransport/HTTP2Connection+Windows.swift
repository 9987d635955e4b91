import SystemIO

/// How far peers may be ahead of us.
extension HTTP2Connection {
    /// Bytes that came on a stream, padding included, of which its peer does not know yet that they
    /// were taken.
    func unreleased(_ stream: HTTP2Stream) -> Int {
        session.unreleased(stream: stream.identifier)
    }

    func release(_ stream: HTTP2Stream, _ count: Int) {
        session.release(stream: stream.identifier, count)
        widen(stream, count)
        if !isReading { scheduleFlush() }
    }

    /// Makes a stream's window wider, where its peer is far away and we took what it sent.
    private func widen(_ stream: HTTP2Stream, _ count: Int) {
        // A short message needs no window; let it cost nothing either.
        guard let shortest = roundTrip.shortest,
            stream.bytesReceived >= configuration.limits.streamWindow / 2
        else {
            return
        }
        let now = ContinuousClock.now
        guard let wanted = stream.estimate.took(count, at: now, roundTrip: shortest) else {
            return measureRoundTrip(at: now)
        }
        let more = wanted - stream.estimate.window
        let granted = configuration.budget?.widen(by: more) ?? more
        guard granted > 0 else { return }
        stream.estimate.widen(by: granted)
        session.widen(stream: stream.identifier, to: stream.estimate.window)
    }

    /// A stream is over; what its window was wider by is for others.
    func narrow(by bytes: Int) { configuration.budget?.narrow(by: bytes) }

    private func measureRoundTrip(at now: ContinuousClock.Instant) {
        guard roundTrip.isDue(at: now) else { return }
        roundTrip.begin(at: now)
        session.submitPing(.measurement)
    }
}
