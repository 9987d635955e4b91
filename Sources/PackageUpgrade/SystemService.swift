import ContentDigest
import FoundationEssentials
import GNOI
import GRPCCore
import GRPCTransport
import Glibc
import Logging
import OCI
import SwiftProtobuf
import SystemIO
import UpgradeAPI

/// The part of the gNOI service `gnoi.system.System` that upgrades this software: SetPackage. It
/// receives and checks packages and hands them over; it has no right to install them.
public struct SystemService: Gnoi_System_System.ServiceProtocol {
    public struct Configuration: Sendable {
        /// What checks packages.
        public var program = "/usr/sbin/containerz-upgrade"
        /// Where they are left for it to install.
        public var inbox = "/var/lib/containerzd/upgrade"
        /// Where it says what has become of them.
        public var result = "/var/lib/containerz-upgrade/result"

        public init() {}
    }

    private let checker: PackageChecker
    let inbox: PackageInbox
    private let transfers = TransferCount()
    private let logger: Logger

    /// ECDSA's have some 70 bytes, RSA's up to 1024.
    private static let largestSignature = 1024

    public init(_ configuration: Configuration, logger: Logger) {
        checker = PackageChecker(program: configuration.program)
        inbox = PackageInbox(configuration.inbox, result: configuration.result)
        self.logger = logger
    }

    public func setPackage(
        request: StreamingServerRequest<Gnoi_System_SetPackageRequest>, context: ServerContext
    ) async throws -> ServerResponse<Gnoi_System_SetPackageResponse> {
        do {
            let upgrade = try await receive(request, context.transportSpecific as? CallRecord)
            return ServerResponse(
                message: .init(), metadata: [PackageMetadata.identifier: "\(upgrade)"])
        } catch let error as SystemError {
            let code: RPCError.Code = error.code == ENOSPC ? .resourceExhausted : .internalError
            throw RPCError(code: code, message: "\(error)")
        }
    }

    @EventLoop
    private func receive(
        _ request: StreamingServerRequest<Gnoi_System_SetPackageRequest>, _ record: CallRecord?
    ) async throws -> UpgradeIdentifier {
        try checker.requireProgram()
        try transfers.begin()
        defer { transfers.end() }
        var requests = request.messages.makeAsyncIterator()
        var transfer = PackageTransfer.awaitingPackage
        guard let first = try await requests.next(isolation: EventLoop.shared) else {
            try transfer.endOfStream()
            throw CancellationError()
        }
        guard case .begin(let file) = try transfer.receive(first) else {
            throw PackageTransfer.invalid("request", "the first message has to be a package")
        }
        record?.target = "\(file)"
        let package = first.package
        let upgrade = try Self.identifier(request.metadata, of: package)
        let signature = try Self.signature(request.metadata)
        let allowDowngrade = request.metadata[stringValues: PackageMetadata.allowDowngrade]
            .contains("true")

        let partial = try await withOwnThread(named: "package") { [inbox] in
            inbox.tidy()
            return try inbox.receive(signature: signature)
        }
        try await Self.copy(&requests, &transfer, to: partial)
        let version = try await checker.check(
            partial.path, called: file, allowDowngrade: allowDowngrade)
        guard package.version.isEmpty || package.version.utf8.elementsEqual(version.utf8) else {
            throw PackageTransfer.invalid("package.version", "the version in it is \(version)")
        }
        try await withOwnThread(named: "package") { [inbox] in
            try inbox.place(partial, as: file, of: upgrade)
            if package.activate { try inbox.ask(for: upgrade, allowDowngrade: allowDowngrade) }
        }
        record?.carryOut()
        logger.info(
            "\(package.activate ? "handed over for installing" : "received")",
            metadata: ["package": "\(file.name)", "version": "\(version)", "upgrade": "\(upgrade)"])
        return upgrade
    }

    /// Receives the contents, until their hash comes and is right.
    @EventLoop
    private static func copy(
        _ requests: inout RPCAsyncSequence<Gnoi_System_SetPackageRequest, any Error>.AsyncIterator,
        _ transfer: inout PackageTransfer, to partial: PartialPackage
    ) async throws {
        // Which of the two it has to be is known in the end.
        let hashes = [ContentHash(.sha256), ContentHash(.sha512)]
        while let request = try await requests.next(isolation: EventLoop.shared) {
            switch try transfer.receive(request) {
            case .begin: break
            case .keep:
                let contents = request.contents
                contents.withUnsafeBytes { bytes in for hash in hashes { hash.update(bytes) } }
                try await withOwnThread(named: "package") {
                    try contents.withUnsafeBytes { try partial.write($0) }
                }
            case .finish(let expected):
                let found = hashes.filter { $0.algorithm == expected.algorithm }.map { $0.finish() }
                guard found == [expected] else {
                    throw PackageTransfer.invalid("hash", "the contents have another one")
                }
                try await withOwnThread(named: "package") { try partial.synchronise() }
                return
            }
        }
        try Task.checkCancellation()
        try transfer.endOfStream()
    }

    private static func identifier(
        _ metadata: Metadata, of package: Gnoi_System_Package
    ) throws(RPCError) -> UpgradeIdentifier {
        guard
            let text = metadata[stringValues: PackageMetadata.identifier].first(where: { _ in true }
            )
        else {
            guard package.activate else {
                throw PackageTransfer.invalid(
                    "package.activate",
                    "only with \(PackageMetadata.identifier) in the metadata can "
                        + "packages wait for one another")
            }
            return UpgradeIdentifier()
        }
        guard let upgrade = UpgradeIdentifier(text) else {
            throw PackageTransfer.invalid(
                PackageMetadata.identifier, "it is not 32 hexadecimal digits")
        }
        return upgrade
    }

    private static func signature(_ metadata: Metadata) throws(RPCError) -> [UInt8] {
        guard
            let signature = metadata[binaryValues: PackageMetadata.signature]
                .first(where: { _ in true })
        else {
            throw RPCError(
                code: .permissionDenied,
                message: "there is no \(PackageMetadata.signature) in the metadata: a package has "
                    + "to be signed")
        }
        guard signature.count <= largestSignature else {
            throw PackageTransfer.invalid(PackageMetadata.signature, "it is too long")
        }
        return signature
    }
}

/// How many packages are being received: each has a file and its hashes.
@EventLoop
private final class TransferCount {
    private var count = 0
    private static let most = 4

    nonisolated init() {}

    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED.
    func begin() throws(RPCError) {
        guard count < Self.most else {
            throw RPCError(
                code: .resourceExhausted, message: "\(count) packages are being received already")
        }
        count += 1
    }

    func end() { count -= 1 }
}
