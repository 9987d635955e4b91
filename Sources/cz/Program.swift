import ArgumentParser
import ContainerzClient
import Fleet
import GRPCCore
import GRPCTransport
import Glibc
import SystemIO

/// What all commands do alike: connect, carry out, report, exit.
enum Program {
    /// sysexits.h, and for a part that failed one that nothing else uses.
    static let partlyFailed = ExitCode(2)
    static let unreachable = ExitCode(EX_UNAVAILABLE)
    static let notAllowed = ExitCode(EX_NOPERM)

    /// Runs `body` with a connection to the device, or to each of several.
    ///
    /// - Parameter isBroughtToEnd: whether the first signal leaves what runs to come to its end,
    ///   where there are several devices.
    /// - Throws: `ExitCode`, after the reason has been written to standard error.
    static func run(
        _ command: String, _ connection: Connection, isBroughtToEnd: Bool = true,
        _ body: @escaping @Sendable (Device) async throws -> Void
    ) throws {
        if connection.isFleet {
            return try run(command, connection, RolloutRequest(), isBroughtToEnd: isBroughtToEnd) {
                device, _ in try await body(device)
            }
        }
        let code = EventLoopExecutor.run { @EventLoop () -> ExitCode in
            do {
                try await Device.with(connection.target, timeout: connection.timeout, body)
                return .success
            } catch {
                return report(error, of: command)
            }
        }
        if code != .success { throw code }
    }

    /// Runs `body` for all devices as a rollout; nil for a single device and nothing of that.
    ///
    /// - Throws: `ExitCode`, after the reason has been written to standard error.
    static func run(
        _ command: String, _ connection: Connection, _ rollout: RolloutRequest?,
        isBroughtToEnd: Bool = true, _ body: @escaping FleetCommand.Body
    ) throws {
        guard let rollout else {
            let attempt = Attempt(address: connection.endpoints[0].member.address)
            return try run(command, connection) { try await body($0, attempt) }
        }
        if isBroughtToEnd { Signals.block(FleetCommand.signals) }
        let code = EventLoopExecutor.run { @EventLoop () -> ExitCode in
            await FleetCommand(command, connection, rollout, body).run(
                isBroughtToEnd: isBroughtToEnd)
        }
        if code != .success { throw code }
    }

    /// Does the same to each of several objects, whatever becomes of the others.
    static func forEach(
        _ objects: [String], _ command: String, _ connection: Connection,
        _ body: @escaping @Sendable (Device, String) async throws -> Void
    ) throws {
        try run(command, connection) { device in
            var failures: [ExitCode] = []
            for object in objects {
                do {
                    try await body(device, object)
                } catch {
                    // Of one alone the message tells which anyway.
                    let subject = objects.count > 1 ? "\(command): \(object)" : command
                    failures.append(report(error, of: subject))
                }
            }
            guard let first = failures.first else { return }
            throw failures.count < objects.count ? partlyFailed : first
        }
    }

    /// Writes why something failed, once, and gives the exit code for it.
    static func report(_ error: any Error, of command: String) -> ExitCode {
        switch error {
        case let code as ExitCode: return code
        case let error as RPCError:
            if isOpen(error) { TargetOutput.current?.lose() }
            complain("\(command): \(text(error))")
            return exitCode(error)
        case let error as SystemError where error.code == EPIPE:
            // Whoever read our output has gone, and knows that best.
            return .failure
        default:
            complain("\(command): \(error)")
            return .failure
        }
    }

    private static func text(_ error: RPCError) -> String {
        if error.message.isEmpty { return "\(error.code)" }
        // What happened on this side needs no status.
        return error.cause == nil ? "\(error.message) (\(error.code))" : error.message
    }

    /// Whether the device may have done what was asked for nevertheless.
    private static func isOpen(_ error: RPCError) -> Bool {
        switch error.code {
        case .unavailable, .deadlineExceeded, .cancelled, .unknown: true
        default: false
        }
    }

    private static func exitCode(_ error: RPCError) -> ExitCode {
        switch error.code {
        case .unauthenticated, .permissionDenied: return notAllowed
        case .unavailable:
            if let error = error.cause as? TLSError, error.kind == .refusedByPeer {
                return notAllowed
            }
            return unreachable
        default: return .failure
        }
    }

    /// Why something failed; of one of several devices it is kept for its last line.
    static func complain(_ text: String) {
        if let output = TargetOutput.current { return output.complain(text) }
        StandardError.write(line: "cz: \(text)")
    }

    /// Progress, for people and logs.
    static func say(_ text: String) {
        if let output = TargetOutput.current { return output.say(text) }
        StandardError.write(line: text)
    }
}
