import FoundationEssentials
import HTTPClient
import RuntimeAPI
import SystemIO

extension DockerEngine {
    /// How long Podman may take to start a container again, in which it looks ended.
    private static let revivalTime: Duration = .seconds(3)

    public func logs(
        container name: String, follow: Bool, _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        try await translating {
            let container = try await container(name)
            let isTerminal = container.config?.tty ?? false
            let format: LogDemultiplexer.Format =
                isTerminal ? .raw : follow && dialect.hasExactLogTimes ? .timedFrames : .frames
            guard follow else {
                var demultiplexer = LogDemultiplexer(format)
                return try await read(container.id, false, &demultiplexer, output)
            }
            try await self.follow(container.id, format, output)
        }
    }

    /// The engine ends a followed log with each run of the container, sometimes before its last
    /// lines; so it is followed again from where it ended, until there is nobody to write more.
    private func follow(
        _ id: String, _ format: LogDemultiplexer.Format,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        var position = LogDemultiplexer.Position()
        while true {
            let isLast = try await !willWriteMore(id)
            var demultiplexer = LogDemultiplexer(format, from: position)
            try await read(id, !isLast, &demultiplexer, output)
            position = demultiplexer.position
            if isLast { return }
        }
    }

    private func read(
        _ id: String, _ follow: Bool, _ demultiplexer: inout LogDemultiplexer,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        var query = [("stdout", "1"), ("stderr", "1"), ("follow", follow ? "1" : "0")]
        if demultiplexer.isTimed {
            query.append(("timestamps", "1"))
            if let since = Self.unixTime(demultiplexer.position.time) {
                query.append(("since", "\(since.seconds).\(since.fraction)"))
            }
        }
        let response: HTTPResponse
        do {
            response = try await api.open(
                "GET", "/containers/\(id)/logs", query,
                timeout: follow ? nil : EngineAPI.usualTimeout)
        } catch let failure as EngineAPI.Failure where [404, 409].contains(failure.status) {
            // Removed, or being removed, while it was followed: it wrote all it ever will.
            return
        }
        var written: [UInt8] = []
        do {
            while let bytes = try await response.next() {
                try demultiplexer.feed(bytes, into: &written)
                if !written.isEmpty { try await output(written) }
                written.removeAll(keepingCapacity: true)
            }
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
