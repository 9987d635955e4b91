/// A content digest: an algorithm and the hash it gives (OCI image spec, "Digests").
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// The registered algorithms.
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256
        case sha512

        /// The hash's length in bytes.
        public var length: Int {
            switch self {
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    public let algorithm: Algorithm
    /// The hash itself.
    public let bytes: [UInt8]

    /// - Precondition: `bytes` has the algorithm's length.
    public init(_ algorithm: Algorithm, _ bytes: [UInt8]) {
        precondition(bytes.count == algorithm.length, "a digest of the wrong length")
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// Parses `sha256:` and lower-case hexadecimal digits.
    ///
    /// - Returns: nil when the text is no digest, or of an algorithm that is not registered.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            let algorithm = Algorithm(rawValue: String(text[..<colon]))
        else { return nil }
        self.init(algorithm, hexadecimal: text[text.utf8.index(after: colon)...])
    }

    /// Parses the digits alone.
    public init?(_ algorithm: Algorithm, hexadecimal: some StringProtocol) {
        // Lists have one for each container and image, and the compiler knows how to read through
        // an array without asking what kind of text it is.
        let digits = Array(hexadecimal.utf8)
        guard digits.count == 2 * algorithm.length else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(algorithm.length)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(of: digits[index]),
                let low = Self.value(of: digits[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(algorithm, bytes)
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The digits alone.
    public var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] },
            as: UTF8.self)
    }

    public var description: String { "\(algorithm.rawValue):\(hexadecimal)" }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = Digest(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text.prefix(100))' is not a digest")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
