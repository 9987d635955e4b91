import FoundationEssentials
import GNOI
import GRPCCore
import OCI
import SwiftProtobuf
import SystemIO
import UpgradeAPI

/// How an upgrade of a device's containerz stands.
public struct UpgradeProgress: Encodable, Hashable, Sendable {
    public enum State: String, Codable, Sendable {
        case pending
        case installing
        case done
        case failed
    }

    public struct Package: Codable, Hashable, Sendable {
        public var name: String
        public var version: String
    }

    public var upgrade: String
    public var state: State
    /// Why it failed; empty otherwise.
    public var message: String
    /// Those that are installed now, of those it was about.
    public var packages: [Package]

    public var isOver: Bool { state == .done || state == .failed }
}

extension Device {
    private static let pieceSize = 1 << 20

    /// Sends one of the packages that are to be installed together.
    ///
    /// - Parameter activate: install it now, with those that were sent before it.
    /// - Throws: `RPCError`, `SystemError` when the file cannot be read.
    public func send(
        _ package: SignedPackage, of upgrade: UpgradeIdentifier, activate: Bool,
        allowDowngrade: Bool
    ) async throws {
        var metadata: Metadata = [PackageMetadata.identifier: "\(upgrade)"]
        metadata.addBinary(package.signature, forKey: PackageMetadata.signature)
        if allowDowngrade { metadata.addString("true", forKey: PackageMetadata.allowDowngrade) }
        _ = try await Gnoi_System_System.Client(wrapping: connection).setPackage(
            metadata: metadata, options: options,
            requestProducer: { writer in
                try await writer.write(
                    .with {
                        $0.package.filename = "\(package.file)"
                        $0.package.activate = activate
                    })
                var offset: Int64 = 0
                while true {
                    let bytes = try package.source.read(
                        min(Self.pieceSize, largestChunk), at: offset)
                    if bytes.isEmpty { break }
                    offset += Int64(bytes.count)
                    try await writer.write(.with { $0.contents = Data(bytes) })
                }
                try await writer.write(
                    .with {
                        $0.hash.method = .sha256
                        $0.hash.hash = Data(package.digest.bytes)
                    })
            })
    }

    /// Follows an upgrade until it is over or the device's service is restarted, which ends the RPC
    /// with UNAVAILABLE.
    ///
    /// - Throws: `RPCError`, what `body` throws.
    public func watch(
        _ upgrade: UpgradeIdentifier, _ body: @escaping @Sendable (UpgradeProgress) throws -> Void
    ) async throws {
        try await Containerz_Upgrade_V1_Upgrades.Client(wrapping: connection).watch(
            .with { $0.id = "\(upgrade)" }, options: options
        ) { response in
            for try await message in response.messages { try body(UpgradeProgress(message)) }
        }
    }
}

extension UpgradeProgress {
    fileprivate init(_ message: Containerz_Upgrade_V1_Upgrade) {
        upgrade = message.id
        state =
            switch message.state {
            case .installing: .installing
            case .done: .done
            case .failed: .failed
            case .pending, .unspecified, .UNRECOGNIZED: .pending
            }
        self.message = message.message
        packages = message.packages.map { Package(name: $0.name, version: $0.version) }
    }
}
