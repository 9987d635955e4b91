import HTTPClient
import RuntimeAPI
import SystemIO

extension DockerEngine {
    typealias LogOutput = @EventLoop (ArraySlice<UInt8>) async throws -> Void

    /// How long Podman may take to start a container again, in which it looks ended.
    private static let revivalTime: Duration = .seconds(3)

    /// Bytes of a log that is not followed that are handed over at once, about.
    private static let pieceSize = 64 << 10

    public func logs(
        container name: String, follow: Bool,
        _ output: @EventLoop (ArraySlice<UInt8>) async throws -> Void
    ) async throws {
        try await translating {
            let container = try await container(name)
            try await requireOwn(container, named: name)
            let isTerminal = container.config?.tty ?? false
            let format: LogDemultiplexer.Format =
                isTerminal ? .raw : follow && dialect.hasExactLogTimes ? .timedFrames : .frames
            var position = LogDemultiplexer.Position()
            // The engine ends a followed log with each run of the container, sometimes before its
            // last lines; so it is followed again from where it ended, until there is nobody to
            // write more.
            while follow, try await willWriteMore(container.id) {
                if format == .timedFrames {
                    try await followWithOthers(container.id, &position, output)
                } else {
                    try await read(container.id, true, format, &position, output)
                }
            }
            try await read(container.id, false, format, &position, output)
        }
    }

    /// Follows a run of the container. Those who do share streams of the engine's, since reading a
    /// log is what costs the engine most: whoever comes to where another stream is goes on there.
    private func followWithOthers(
        _ id: String, _ position: inout LogDemultiplexer.Position, _ output: LogOutput
    ) async throws {
        var isAlone = false
        while true {
            let reader = logReader(of: id, from: position, alone: isAlone)
            defer { reader.leave() }
            var meetsOthers = false
            while !meetsOthers, case .bytes(let bytes) = try await reader.read() {
                try await output(bytes)
                position.frame = reader.position
                meetsOthers = !isAlone && isReached(position, of: id, before: reader)
            }
            if reader.isLost {
                // Whoever kept others waiting would do so again.
                isAlone = true
            } else if !meetsOthers {
                return
            }
        }
    }

    private func logReader(
        of id: String, from position: LogDemultiplexer.Position, alone: Bool
    ) -> LogTail.Reader {
        if !alone {
            for tail in logTails[id] ?? [] {
                if let reader = tail.reader(at: position.frame) { return reader }
            }
        }
        let tail = LogTail(from: position.frame)
        if !alone { logTails[id, default: []].append(tail) }
        let reading = EventLoop.task { [self] in
            let result: Result<Void, any Error>
            do {
                try await fill(tail, id, from: position)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            forget(tail, of: id)
            tail.end(result)
        }
        tail.onDesertion = { [weak self, weak tail] in
            reading.cancel()
            if let tail { self?.forget(tail, of: id) }
        }
        return tail.reader()
    }

    /// Whether a stream that was begun before a reader's is there.
    private func isReached(
        _ position: LogDemultiplexer.Position, of id: String, before reader: LogTail.Reader
    ) -> Bool {
        (logTails[id] ?? []).prefix { !reader.reads($0) }.contains { $0.contains(position.frame) }
    }

    private func forget(_ tail: LogTail, of id: String) {
        logTails[id]?.removeAll { $0 === tail }
        if logTails[id]?.isEmpty ?? false { logTails[id] = nil }
    }

    private func fill(
        _ tail: LogTail, _ id: String, from position: LogDemultiplexer.Position
    ) async throws {
        var demultiplexer = LogDemultiplexer(.timedFrames, from: position)
        guard let stream = try await openLog(id, true, since: position.frame.time) else { return }
        while let bytes = try await next(of: stream) {
            var chunk = LogTail.Chunk()
            try demultiplexer.feed(bytes) { chunk.append($0, $1.frame) }
            try await tail.append(chunk)
        }
    }

    /// Reads a log as far as the engine sends it.
    private func read(
        _ id: String, _ follow: Bool, _ format: LogDemultiplexer.Format,
        _ position: inout LogDemultiplexer.Position, _ output: LogOutput
    ) async throws {
        var demultiplexer = LogDemultiplexer(format, from: position)
        let since = format == .timedFrames ? position.frame.time : nil
        guard let stream = try await openLog(id, follow, since: since) else { return }
        var written: [UInt8] = []
        // Nobody waits for a part of a log that is only read to its end.
        let least = follow ? 1 : Self.pieceSize
        func pass() async throws {
            if !written.isEmpty { try await output(written[...]) }
            written.removeAll(keepingCapacity: true)
            position = demultiplexer.position
        }
        do {
            while let bytes = try await next(of: stream) {
                try demultiplexer.feed(bytes, into: &written)
                if written.count >= least { try await pass() }
            }
        } catch let error as RuntimeError {
            // What came before the engine failed is the client's all the same.
            try await pass()
            throw error
        }
        try await pass()
    }

    /// - Parameter time: where to begin, for a log with times; nil for one without.
    /// - Returns: nil when the container has gone: it wrote all it ever will.
    private func openLog(
        _ id: String, _ follow: Bool, since time: [UInt8]?
    ) async throws -> HTTPResponse? {
        var query = [("stdout", "1"), ("stderr", "1"), ("follow", follow ? "1" : "0")]
        if let time {
            query.append(("timestamps", "1"))
            if let since = Self.unixTime(String(decoding: time, as: UTF8.self)) {
                query.append(("since", "\(since.seconds).\(since.fraction)"))
            }
        }
        do {
            return try await api.open(
                "GET", "/containers/\(id)/logs", query,
                timeout: follow ? nil : EngineAPI.usualTimeout)
        } catch let failure as EngineAPI.Failure where [404, 409].contains(failure.status) {
            return nil
        }
    }

    /// What comes next of an answer that goes on for as long as there is something to tell.
    func next(of stream: HTTPResponse) async throws -> [UInt8]? {
        do {
            return try await stream.next()
        } catch let error as HTTPError {
            throw api.runtimeError(error)
        }
    }

    /// Whether the container runs or is about to; waits while that is open.
    private func willWriteMore(_ id: String) async throws -> Bool {
        let now = try await findContainer(id)
        switch try await outlook(now) {
        case .runs: return true
        case .isDone: return false
        case .mayReturn(let patience):
            // Listening first and looking then misses nothing.
            let events = try await events(of: id)
            let deadline = patience.map { ContinuousClock.now + $0 }
            while true {
                switch try await outlook(findContainer(id)) {
                case .runs: return true
                case .isDone: return false
                case .mayReturn: break
                }
                guard try await nextEvent(events, before: deadline) else { return false }
            }
        }
    }

    private enum Outlook {
        case runs
        case isDone
        /// It is between two runs; where that is only a guess, for at most so long.
        case mayReturn(Duration?)
    }

    private func outlook(_ container: ContainerDocument?) async throws -> Outlook {
        guard let container else { return .isDone }
        if container.state.restarting ?? false || container.state.status == "restarting" {
            return .mayReturn(nil)
        }
        if container.isUp { return .runs }
        return dialect.restartsLookEnded && Self.mayRestart(container)
            ? .mayReturn(Self.revivalTime) : .isDone
    }
}
