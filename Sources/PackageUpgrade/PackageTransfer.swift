import GNOI
import GRPCCore
import OCI
import UpgradeAPI

/// What a client has to send in a SetPackage, and in which order (gNOI System, SetPackage). Pure: it
/// is fed messages and says what to do.
public enum PackageTransfer: Equatable {
    case awaitingPackage
    case receiving(received: Int)
    case complete

    public enum Action: Equatable {
        case begin(PackageFile)
        /// Keep the content.
        case keep
        /// That was all, and it has to have this hash.
        case finish(Digest)
    }

    /// Bytes of a package: some times what the largest of ours has.
    public static let largestPackage = 64 << 20

    /// - Throws: `RPCError`.
    public mutating func receive(
        _ request: Gnoi_System_SetPackageRequest
    ) throws(RPCError) -> Action {
        switch (self, request.request) {
        case (.awaitingPackage, .package(let package)):
            guard !package.hasRemoteDownload else {
                throw RPCError(
                    code: .unimplemented,
                    message: "package.remote_download: this device wants the contents in the stream"
                )
            }
            guard let file = PackageFile(package.filename) else {
                throw Self.invalid("package.filename", "it is not NAME_VERSION_ARCHITECTURE.deb")
            }
            self = .receiving(received: 0)
            return .begin(file)
        case (.awaitingPackage, _):
            throw Self.invalid("request", "the first message has to be a package")
        case (.receiving(let received), .contents(let contents)):
            guard contents.count <= Self.largestPackage - received else {
                throw RPCError(
                    code: .resourceExhausted,
                    message: "contents: a package may have \(Self.largestPackage) bytes")
            }
            self = .receiving(received: received + contents.count)
            return .keep
        case (.receiving(let received), .hash(let hash)):
            guard received > 0 else { throw Self.invalid("contents", "there are none") }
            self = .complete
            return .finish(try Self.digest(hash))
        case (.receiving, .package):
            throw Self.invalid("package", "the transfer has begun already")
        case (.receiving, nil):
            throw Self.invalid("request", "the message is empty")
        case (.complete, _):
            throw Self.invalid("request", "the transfer has ended already")
        }
    }

    /// The client sends no more.
    ///
    /// - Throws: `RPCError` unless everything has come.
    public func endOfStream() throws(RPCError) {
        switch self {
        case .awaitingPackage: throw Self.invalid("request", "there is no package")
        case .receiving(let received):
            throw Self.invalid("hash", "the stream ended without it, after \(received) bytes")
        case .complete: break
        }
    }

    private static func digest(_ hash: Gnoi_Types_HashType) throws(RPCError) -> Digest {
        let algorithm: Digest.Algorithm
        switch hash.method {
        case .sha256: algorithm = .sha256
        case .sha512: algorithm = .sha512
        case .md5: throw invalid("hash.method", "MD5 proves nothing; use SHA256 or SHA512")
        case .unspecified, .UNRECOGNIZED:
            throw invalid("hash.method", "it has to be SHA256 or SHA512")
        }
        guard hash.hash.count == algorithm.length else {
            throw invalid("hash.hash", "it has \(hash.hash.count) bytes, not \(algorithm.length)")
        }
        return Digest(algorithm, Array(hash.hash))
    }

    static func invalid(_ field: String, _ reason: String) -> RPCError {
        RPCError(code: .invalidArgument, message: "\(field): \(reason)")
    }
}
