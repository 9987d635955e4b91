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
        guard let colon = text.firstIndex(of: ":"),
            let algorithm = Algorithm(rawValue: String(text[..<colon]))
        else { return nil }
        self.init(algorithm, hexadecimal: text[text.index(after: colon)...])
    }

    /// Parses the digits alone.
    public init?(_ algorithm: Algorithm, hexadecimal: some StringProtocol) {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in hexadecimal.utf8 {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil, bytes.count == algorithm.length else { return nil }
        self.init(algorithm, bytes)
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
