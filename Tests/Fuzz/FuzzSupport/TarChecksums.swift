/// Makes the checksums of tar headers right, as far as headers can be told from content: a fuzzer
/// that changes a header would rarely get past its checksum.
public func repairTarChecksums(_ bytes: [UInt8]) -> [UInt8] {
    let block = 512
    // POSIX, pax, "ustar Interchange Format".
    let (magic, checksum) = (257, 148..<156)
    var bytes = bytes
    for start in stride(from: 0, through: bytes.count - block, by: block)
    where bytes[(start + magic)...].starts(with: "ustar".utf8) {
        let field = (start + checksum.lowerBound)..<(start + checksum.upperBound)
        bytes.replaceSubrange(field, with: repeatElement(UInt8(ascii: " "), count: field.count))
        let sum = bytes[start..<start + block].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        let padded = String(repeating: "0", count: 6 - digits.count) + digits
        bytes.replaceSubrange(field, with: Array(padded.utf8) + [0, UInt8(ascii: " ")])
    }
    return bytes
}
