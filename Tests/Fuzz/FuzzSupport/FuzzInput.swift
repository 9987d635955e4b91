/// What the fuzzer made up: bytes to try, and choices that are taken off their end, so that a
/// real file is a seed as it is.
public struct FuzzInput {
    /// What has not been taken as a choice.
    public private(set) var bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Invalid UTF-8 repaired, as the programs do.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// A choice, 0 when the input has run out.
    public mutating func byte() -> UInt8 { bytes.popLast() ?? 0 }

    /// A choice among so many, from 0.
    public mutating func choice(of count: Int) -> Int { Int(byte()) % count }

    /// One of several values.
    public mutating func choice<Value>(_ first: Value, _ others: Value...) -> Value {
        let index = choice(of: others.count + 1)
        return index == 0 ? first : others[index - 1]
    }

    /// How to cut bytes into pieces.
    public mutating func cuts() -> Cuts {
        let count = choice(of: 8)
        return Cuts(lengths: (0..<count).map { _ in Int(byte()) })
    }
}

/// Lengths of pieces, repeated for as long as there are bytes.
public struct Cuts {
    let lengths: [Int]

    /// All of the bytes, in pieces, some of which may be empty; one piece when nothing else was
    /// chosen.
    public func pieces<Bytes: Collection>(of bytes: Bytes) -> [[UInt8]]
    where Bytes.Element == UInt8 {
        guard lengths.contains(where: { $0 > 0 }) else { return [Array(bytes)] }
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let length = lengths[pieces.count % lengths.count]
            pieces.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return pieces
    }
}
