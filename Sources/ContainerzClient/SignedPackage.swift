import FoundationEssentials
import OCI
import SystemIO
import UpgradeAPI

/// A Debian package to send, with the signature that the device asks for.
public struct SignedPackage: Sendable {
    public let file: PackageFile
    let source: PushSource
    let signature: [UInt8]
    /// Of the contents, SHA-256.
    public let digest: Digest

    /// What is wrong with a file.
    public struct Flaw: Error, CustomStringConvertible {
        public let description: String
    }

    private static let largestSignature = 4096

    /// Opens a package, reads `PATH.sig` and computes the hash.
    ///
    /// - Throws: ``Flaw``.
    public init(_ path: String) throws(Flaw) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard let file = PackageFile(name) else {
            throw Flaw(description: "\(path): its name is not NAME_VERSION_ARCHITECTURE.deb")
        }
        self.file = file
        do throws(SystemError) {
            source = try .file(path)
            digest = try source.digest()
        } catch {
            throw Flaw(description: "\(path): \(error.reason)")
        }
        let signaturePath = "\(path).sig"
        let text: [UInt8]
        do throws(SystemError) {
            text = try PushSource.file(signaturePath).read(Self.largestSignature, at: 0)
        } catch {
            throw Flaw(
                description:
                    "\(signaturePath): \(error.reason): a device takes signed packages only")
        }
        guard !text.isEmpty else { throw Flaw(description: "\(signaturePath): it is empty") }
        signature = Self.decode(text)
    }

    /// `cosign sign-blob` writes base64, `openssl dgst -sign` the bytes themselves.
    private static func decode(_ text: [UInt8]) -> [UInt8] {
        let trimmed = String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace }
        return Data(base64Encoded: trimmed).map { Array($0) } ?? text
    }
}
