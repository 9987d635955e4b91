import FoundationEssentials
import Glibc
import OCI

/// Keys and signatures made with the openssl command, in a folder that is removed again.
final class Signer: Sendable {
    let folder: String

    init() throws {
        var template = Array("/tmp/containerz-keys-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw Failure(command: "mkdtemp") }
        folder = String(cString: path)
        for name in ["ours", "theirs"] { try makeKey(name, "EC -pkeyopt ec_paramgen_curve:P-256") }
        try makeKey("p384", "EC -pkeyopt ec_paramgen_curve:P-384")
        try makeKey("k1", "EC -pkeyopt ec_paramgen_curve:secp256k1")
        try makeKey("rsa", "RSA -pkeyopt rsa_keygen_bits:2048")
        try makeKey("edwards", "ED25519")
    }

    deinit { _ = try? run("rm -r \(folder)") }

    private func makeKey(_ name: String, _ algorithm: String) throws {
        try run("openssl genpkey -algorithm \(algorithm) -out \(name).key")
        try run("openssl pkey -in \(name).key -pubout -out \(name).pub")
    }

    func publicKey(_ name: String) throws -> [UInt8] { try read("\(name).pub") }
    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
    }

    /// What `cosign sign` puts into an annotation, before base64.
    func sign(_ message: [UInt8], by name: String = "ours", _ hash: String = "sha256") throws
        -> [UInt8]
    {
        try Data(message).write(to: URL(filePath: "\(folder)/message"))
        try run("openssl dgst -\(hash) -sign \(name).key -out signature message")
        return try read("signature")
    }

    func digest(_ content: [UInt8]) throws -> Digest {
        try Data(content).write(to: URL(filePath: "\(folder)/content"))
        try run("openssl dgst -sha256 -binary -out digest content")
        return Digest(.sha256, try read("digest"))
    }

    private func run(_ command: String) throws {
        guard system("cd \(folder) && { \(command); } >>log 2>&1") == 0 else {
            throw Failure(command: command)
        }
    }

    struct Failure: Error { var command: String }
}
