import GRPCCore
import GRPCTransport
import Glibc
import SwiftProtobuf
import SystemIO
import UpgradeAPI

/// The service `containerz.upgrade.v1.Upgrades`: what has become of packages that were handed over.
public struct UpgradeService: Containerz_Upgrade_V1_Upgrades.SimpleServiceProtocol {
    private let inbox: PackageInbox
    private let files: [String]
    private let watches = OpenEndedWork()

    /// - Parameter system: takes in the packages; the folders they wait in are changed one at a time.
    public init(of system: SystemService) {
        inbox = system.inbox
        files = [inbox.request, inbox.resultPath]
    }

    public func watch(
        request: Containerz_Upgrade_V1_WatchRequest,
        response: RPCWriter<Containerz_Upgrade_V1_Upgrade>, context: ServerContext
    ) async throws {
        guard let upgrade = UpgradeIdentifier(request.id) else {
            throw PackageTransfer.invalid("id", "it is not 32 hexadecimal digits")
        }
        let watching = EventLoop.task {
            try await watches.run { try await follow(upgrade, response) }
        }
        do {
            try await watching.valueWithinRPC
        } catch is OpenEndedWork.Stopped {
            throw RPCError(
                code: .unavailable, message: "the service is stopping; ask again in a moment")
        }
    }

    /// Sends whoever watches away, to ask again when the service is back.
    @EventLoop
    public func drain() { watches.stop() }

    @EventLoop
    private func follow(
        _ upgrade: UpgradeIdentifier, _ response: RPCWriter<Containerz_Upgrade_V1_Upgrade>
    ) async throws {
        let waiter = Waiter()
        // Before the first look, so that no change is missed.
        let watch: FileWatch
        do throws(SystemError) {
            watch = try FileWatch(files) { waiter.wake() }
        } catch  where error.code == ENOENT {
            // The folders are made with the first package.
            throw Self.notFound(upgrade)
        } catch {
            throw RPCError(code: .internalError, message: "\(error)")
        }
        defer { watch.cancel() }
        var last: Containerz_Upgrade_V1_Upgrade?
        while true {
            let now = try status(of: upgrade)
            if now != last { try await response.write(now) }
            last = now
            if now.state == .done || now.state == .failed {
                // This service may have been another one when the packages came.
                return try await withOwnThread(named: "package") { [inbox] in inbox.tidy() }
            }
            try await waiter.wait()
        }
    }

    private func status(of upgrade: UpgradeIdentifier) throws -> Containerz_Upgrade_V1_Upgrade {
        if let result = inbox.result(), result.upgrade == upgrade { return result.response }
        guard inbox.requested() == upgrade else { throw Self.notFound(upgrade) }
        return .with {
            $0.id = "\(upgrade)"
            $0.state = .pending
        }
    }

    private static func notFound(_ upgrade: UpgradeIdentifier) -> RPCError {
        RPCError(code: .notFound, message: "there is no upgrade \(upgrade)")
    }
}
