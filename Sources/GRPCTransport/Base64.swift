import COpenSSL

/// Base64 by OpenSSL, with the padding that gRPC makes optional.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = EVP_EncodeBlock(&text, bytes, CInt(clamping: bytes.count))
        return String(decoding: text[..<Int(count)], as: UTF8.self)
    }

    /// - Returns: nil when the text is not base64.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var padded = Array(text)
        while padded.last == UInt8(ascii: "=") { padded.removeLast() }
        let remainder = padded.count % 4
        guard remainder != 1, !padded.isEmpty || text.isEmpty, padded.allSatisfy(isDigit) else {
            return nil
        }
        let padding = remainder == 0 ? 0 : 4 - remainder
        padded.append(contentsOf: repeatElement(UInt8(ascii: "="), count: padding))
        var bytes = [UInt8](repeating: 0, count: padded.count / 4 * 3)
        guard !bytes.isEmpty else { return [] }
        let count = EVP_DecodeBlock(&bytes, padded, CInt(clamping: padded.count))
        guard count >= padding else { return nil }
        bytes.removeLast(bytes.count - Int(count) + padding)
        return bytes
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
