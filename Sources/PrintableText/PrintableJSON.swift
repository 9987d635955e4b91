/// JSON for a terminal: characters that a terminal would act on, which JSON allows in strings as
/// they are, are escaped (RFC 8259, section 7). It means the same.
public func printableJSON(_ json: [UInt8]) -> [UInt8] {
    // As nearly always.
    if json.allSatisfy({ $0 < 0x7F }) { return json }
    var output: [UInt8] = []
    output.reserveCapacity(json.count)
    for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
        if scalar.value >= 0x7F, scalar.controlsTerminal {
            let digits = String(scalar.value, radix: 16)
            output += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
        } else {
            output += scalar.utf8
        }
    }
    return output
}
