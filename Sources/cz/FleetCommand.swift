import ArgumentParser
import ContainerzClient
import Fleet
import GRPCTransport
import Glibc
import SystemIO

/// One command for several devices: tells of each what became of it, and of all in the end.
@EventLoop
final class FleetCommand {
    typealias Body = @Sendable (Device, Attempt) async throws -> Void

    private let command: String
    private let connection: Connection
    private let request: RolloutRequest
    private let body: Body
    private let output = FleetOutput()
    private let stop = StopRequest()
    private var credentials: ClientCredentials?
    private var state: RolloutState?
    /// Whether what was done is not all in the state.
    private var isStateIncomplete = false
    private var isInterrupted = false
    /// The most devices at a time.
    private var parallel = 1
    private var done = 0
    private var failures: [Int32] = []

    /// Messages of all devices that are sent at a time, a few copies of each, and the buffers
    /// behind them: with this cz needs less than 200 MiB however large the image.
    private static let chunks = 16 << 20
    private static let smallestChunk = 64 << 10
    /// Descriptors that are no devices': the standard ones, the event loop's, files.
    private static let reserve = 32
    /// A connection, and now and then one to a health check or a resolver.
    private static let perDevice = 2
    /// Those that are to end the work.
    nonisolated static let signals = Signals.heeded([SIGINT, SIGTERM, SIGHUP])

    init(
        _ command: String, _ connection: Connection, _ request: RolloutRequest,
        _ body: @escaping Body
    ) {
        self.command = command
        self.connection = connection
        self.request = request
        self.body = body
    }

    /// - Parameter isBroughtToEnd: whether signals leave what runs to come to its end.
    func run(isBroughtToEnd: Bool) async -> ExitCode {
        let signals: Signals?
        do {
            signals = isBroughtToEnd ? try Signals(Self.signals) { self.interrupt($0) } : nil
            if let tls = connection.tls { credentials = try ClientCredentials(tls) }
            if let (path, identity) = request.state {
                state = try RolloutState(path, of: identity)
            }
        } catch {
            return Program.report(error, of: command)
        }
        let mostAtOnce = max(1, (DescriptorLimit.raise() - Self.reserve) / Self.perDevice)
        guard !connection.isAllAtOnce || connection.endpoints.count <= mostAtOnce else {
            Program.complain(
                "\(command): \(connection.endpoints.count) devices at once need more open files "
                    + "than this process may have (ulimit -n): at most \(mostAtOnce) can be followed"
            )
            return .failure
        }
        parallel = min(
            connection.isAllAtOnce ? connection.endpoints.count : connection.parallel, mostAtOnce)
        let before = Set(
            connection.endpoints.indices.filter { record(of: $0)?.state == .done })
        for index in connection.endpoints.indices where before.contains(index) {
            tell(index, Outcome(.skipped))
        }
        let rollout = Rollout(
            request.plan, count: connection.endpoints.count, done: before,
            parallel: parallel)
        let ended = await rollout.run(until: stop) { await self.attempt($0) }
        signals?.cancel()
        // Whoever read our output has gone, and knows that best.
        if isUnread, output.failure?.code == EPIPE { return .failure }
        for index in ended.untouched { tell(index, Outcome(.untouched)) }
        return conclude(ended, before: before.count)
    }

    // MARK: A device

    private func attempt(_ index: Int) async -> Bool {
        let endpoint = connection.endpoints[index]
        let before = record(of: index)
        do throws(FleetError) {
            try state?.write(RolloutRecord(.begun, endpoint.member))
        } catch {
            giveUpState(error)
            return ended(index, .failure, "it was not touched: \(error)")
        }
        let attempt = Attempt(
            address: endpoint.member.address, isRepeated: before?.isOpen ?? false,
            previous: before?.previous,
            note: { previous in
                try self.state?.write(
                    RolloutRecord(.begun, endpoint.member, previous: previous))
            })
        let lines = TargetOutput(command, endpoint, output)
        let code = await TargetOutput.$current.withValue(lines) {
            await self.carryOut(endpoint, attempt)
        }
        let complaint = lines.finish()
        // What an earlier run has left open is not settled by a failure.
        let isOpen = lines.isLost || attempt.isRepeated
        let end: RolloutRecord.State = code == .success ? .done : isOpen ? .lost : .failed
        do throws(FleetError) {
            try state?.write(
                RolloutRecord(end, endpoint.member, error: end == .done ? nil : complaint))
        } catch {
            giveUpState(error)
        }
        return ended(index, code, complaint)
    }

    private func carryOut(_ endpoint: Connection.Endpoint, _ attempt: Attempt) async -> ExitCode {
        let body = self.body
        do {
            try await Device.with(
                endpoint.target, credentials: endpoint.target.tls == nil ? nil : credentials,
                timeout: connection.timeout,
                largestChunk: max(Self.smallestChunk, Self.chunks / parallel)
            ) { device in try await body(device, attempt) }
            return .success
        } catch {
            return Program.report(error, of: command)
        }
    }

    private func ended(_ index: Int, _ code: ExitCode, _ complaint: String) -> Bool {
        if code == .success {
            done += 1
            tell(index, Outcome(.ok))
        } else {
            failures.append(code.rawValue)
            tell(
                index,
                Outcome(
                    .failed, code: code.rawValue, error: complaint.isEmpty ? "failed" : complaint))
        }
        if isUnread { stop.make() }
        return code == .success
    }

    /// Whether there is no use in what further devices would say.
    private var isUnread: Bool { output.failure != nil && !request.isRollout }

    private func record(of index: Int) -> RolloutRecord? {
        state?.record(of: connection.endpoints[index].member)
    }

    /// Without a state to keep, going on would lose what is done.
    private func giveUpState(_ error: FleetError) {
        if !isStateIncomplete { Program.complain("\(command): \(error)") }
        isStateIncomplete = true
        stop.make()
    }

    // MARK: Words

    private struct Outcome: Encodable {
        enum Kind: String, Encodable { case ok, failed, untouched, skipped }

        var outcome: Kind
        var code: Int32?
        var error: String?
        var target = ""

        init(_ outcome: Kind, code: Int32? = nil, error: String? = nil) {
            self.outcome = outcome
            self.code = code
            self.error = error
        }
    }

    private func tell(_ index: Int, _ outcome: Outcome) {
        var outcome = outcome
        outcome.target = connection.endpoints[index].member.name
        if connection.json, let line = try? Output.line(outcome) { output.write(line) }
        switch outcome.outcome {
        case .ok: StandardError.write(line: "\(outcome.target): ok")
        case .failed:
            StandardError.write(line: "\(outcome.target): failed: \(outcome.error ?? "")")
        case .untouched: StandardError.write(line: "\(outcome.target): not touched")
        // Of those the summary has the number.
        case .skipped: break
        }
    }

    /// The summary and the exit code.
    private func conclude(_ rollout: Rollout, before: Int) -> ExitCode {
        let total = connection.endpoints.count
        let untouched = rollout.untouched.count
        var parts = ["\(done) ok"]
        if before > 0 { parts.append("\(before) done before") }
        if !failures.isEmpty { parts.append("\(failures.count) failed") }
        if untouched > 0 {
            let reason = rollout.stopReason.map { " because \($0)" } ?? ""
            parts.append("\(untouched) not touched\(reason)")
        }
        let noun = total == 1 ? "target" : "targets"
        Program.complain("\(command): \(total) \(noun): \(parts.joined(separator: ", "))")
        if let failure = output.failure, failure.code != EPIPE {
            Program.complain("\(command): standard output: \(failure.reason)")
        }
        if done + before == total {
            if isStateIncomplete { return Program.partlyFailed }
            return output.failure == nil ? .success : .failure
        }
        if failures.count == total {
            return Set(failures).count == 1 ? ExitCode(failures[0]) : .failure
        }
        return untouched == total ? .failure : Program.partlyFailed
    }

    // MARK: Signals

    private func interrupt(_ number: CInt) {
        guard !isInterrupted else {
            Signals.endProgram(by: number)
            return
        }
        isInterrupted = true
        Program.complain(
            "\(command): stopping: no further device begins, those that have come to their end; "
                + "once more ends at once")
        stop.make()
    }
}
