import CCrypt
import COpenSSL
import Glibc

/// Names and hashed passwords: a line each, `NAME:HASH`, the hash as crypt(3) writes it.
public struct PasswordFile: Hashable, Sendable {
    private let hashes: [String: String]
    /// What unknown names are hashed with, so that they take as long as known ones.
    private let decoy: String

    /// yescrypt and sha512crypt; older ones are broken or quickly guessed.
    private static let methods = ["$y$", "$6$"]

    /// Why a file was not taken.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// - Throws: ``Failure``, which names the line and never quotes it.
    public init(parsing text: [UInt8]) throws(Failure) {
        var hashes: [String: String] = [:]
        let lines = String(decoding: text, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
            let fields = line.split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard fields.count == 2, Self.isName(fields[0]) else {
                throw Failure(description: "line \(index + 1) is not NAME:HASH")
            }
            // What follows in a shadow(5) file is of no interest.
            let hash = String(fields[1].prefix { $0 != ":" })
            // As passwd(1) locks an account.
            if hash.hasPrefix("!") { continue }
            guard Self.methods.contains(where: hash.hasPrefix),
                Self.crypt("", setting: hash) != nil
            else {
                throw Failure(
                    description: "line \(index + 1): the hash is neither yescrypt ($y$) nor "
                        + "sha512crypt ($6$)")
            }
            guard hashes.updateValue(hash, forKey: String(fields[0])) == nil else {
                throw Failure(description: "line \(index + 1): the name is there twice")
            }
        }
        self.hashes = hashes
        decoy = hashes.min { $0.key < $1.key }?.value ?? "$6$decoydecoydecoy$"
    }

    /// Whether it is the name's password. It blocks for as long as hashing takes, which is the
    /// same for names that are not there.
    public func verify(_ name: String, _ password: String) -> Bool {
        let known = hashes[name]
        guard let computed = Self.crypt(password, setting: known ?? decoy) else { return false }
        let expected = Array((known ?? decoy).utf8)
        let actual = Array(computed.utf8)
        let isEqual =
            expected.count == actual.count
            && CRYPTO_memcmp(expected, actual, expected.count) == 0
        return isEqual && known != nil
    }

    /// ASCII alone: Swift takes two spellings of one letter for the same name, and policies do not.
    static func isName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= PasswordAuthentication.longestName
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    static func crypt(_ phrase: String, setting: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(cz_crypt_output_size)) {
            output in
            guard let start = output.baseAddress, cz_crypt(phrase, setting, start) == 0 else {
                return nil
            }
            return String(cString: start)
        }
    }
}
