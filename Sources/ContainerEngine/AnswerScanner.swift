import SystemIO

/// Reads an engine's JSON as it arrives, cuts a list into its elements, and leaves out what is too
/// large to keep: labels of megabytes, which anybody can give a container or an image, would
/// otherwise make each list that they are in fail.
///
/// Pure: bytes go in, documents come out, each of them sound JSON when the bytes were. Memory is
/// bounded by the limits below.
struct AnswerScanner: Sendable {
    /// What an answer consists of.
    enum Shape: Sendable {
        /// One object.
        case document
        /// A list of objects.
        case list
        /// An object with a list of objects under this key.
        case listUnder(String)
    }

    /// What is wrong with an answer.
    enum Flaw: Error, CustomStringConvertible {
        case malformed
        case tooLong

        var description: String {
            switch self {
            case .malformed: "it is not the JSON that was expected"
            case .tooLong:
                "one entry of it has more than \(AnswerScanner.longestElement) bytes"
            }
        }
    }

    /// A string with more bytes is left empty.
    static let longestString = 1 << 20
    /// A label, with its name, with more bytes is left out, and so are those that come when the
    /// labels before have as many together. Those that this adapter stores are kept, so that it
    /// shows that they are there; their values are empty when they are too long as well.
    static let longestLabels = 64 << 10
    /// Bytes of an element of a list, or of a document, without what was left out.
    static let longestElement = 16 << 20
    /// Engines nest a few levels.
    private static let deepest = 64

    private static let labelsKey = Array("Labels".utf8)
    private static let ownLabels = EngineLabel.stored.map { Array("\"\($0)\"".utf8) }

    private struct Level {
        var isObject: Bool
        var isLabels = false
        /// Where the label that is being read begins, and the bytes of those that were kept.
        var entryStart = 0
        var kept = 0
        var isOverlong = false
    }

    private let shape: Shape
    private let listKey: [UInt8]?
    private var stack: [Level] = []
    /// How many levels are open around an element; nil outside the list.
    private var elementDepth: Int?
    private var isInElement = false
    private var element: [UInt8] = []

    private var isInString = false
    private var isEscaped = false
    private var isOverlong = false
    private var stringStart = 0
    /// The beginning of the last string, and its length.
    private var word: [UInt8] = []
    private var wordLength = 0
    /// Whether the value that follows is that of such a key.
    private var isLabelsNext = false
    private var isListNext = false

    init(_ shape: Shape) {
        self.shape = shape
        switch shape {
        case .document:
            listKey = nil
            elementDepth = 0
        case .list: listKey = nil
        case .listUnder(let key): listKey = Array(key.utf8)
        }
    }

    /// Takes the bytes and hands each element that they complete to `deliver`.
    ///
    /// - Throws: ``Flaw``, and what `deliver` throws.
    mutating func feed(_ bytes: [UInt8], _ deliver: ([UInt8]) throws -> Void) throws {
        try bytes.withUnsafeBytes { try feed($0, deliver) }
    }

    private mutating func feed(
        _ bytes: UnsafeRawBufferPointer, _ deliver: ([UInt8]) throws -> Void
    ) throws {
        var index = 0
        while index < bytes.count {
            if isInString {
                index = try continueString(bytes, from: index)
                continue
            }
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): try beginString()
            case UInt8(ascii: "{"), UInt8(ascii: "["): try open(byte)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if try close(byte) {
                    try deliver(element)
                    element.removeAll(keepingCapacity: element.count <= Self.longestLabels)
                }
            case UInt8(ascii: ","): try separate()
            case UInt8(ascii: ":"):
                isLabelsNext = wordLength == Self.labelsKey.count && word == Self.labelsKey
                isListNext =
                    stack.count == 1
                    && listKey.map { wordLength == $0.count && word == $0 }
                        ?? false
                try append(byte)
            default: try append(byte)
            }
        }
    }

    /// - Throws: ``Flaw`` when the answer cannot end here.
    func end() throws(Flaw) {
        guard stack.isEmpty, !isInString else { throw .malformed }
    }

    private mutating func append(_ byte: UInt8) throws(Flaw) {
        guard isInElement else { return }
        guard element.count < Self.longestElement else { throw .tooLong }
        element.append(byte)
    }

    // MARK: Strings

    private mutating func beginString() throws(Flaw) {
        isInString = true
        isOverlong = false
        isLabelsNext = false
        isListNext = false
        word.removeAll(keepingCapacity: true)
        wordLength = 0
        try append(UInt8(ascii: "\""))
        stringStart = element.count
    }

    /// - Returns: the index to go on at.
    private mutating func continueString(
        _ bytes: UnsafeRawBufferPointer, from index: Int
    ) throws(Flaw) -> Int {
        if isEscaped {
            isEscaped = false
            try take(bytes, index..<(index + 1))
            return index + 1
        }
        let end = Self.find(UInt8(ascii: "\""), in: bytes, index..<bytes.count) ?? bytes.count
        if let escape = Self.find(UInt8(ascii: "\\"), in: bytes, index..<end) {
            isEscaped = true
            try take(bytes, index..<(escape + 1))
            return escape + 1
        }
        try take(bytes, index..<end)
        guard end < bytes.count else { return end }
        isInString = false
        try append(UInt8(ascii: "\""))
        return end + 1
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(Flaw) {
        wordLength += range.count
        let room = Self.longestWord - word.count
        if room > 0 { word.append(contentsOf: bytes[range].prefix(room)) }
        guard isInElement, !isOverlong else { return }
        guard element.count - stringStart + range.count <= Self.longestString else {
            element.removeSubrange(stringStart...)
            isOverlong = true
            if stack.last?.isLabels ?? false { stack[stack.count - 1].isOverlong = true }
            return
        }
        guard element.count + range.count <= Self.longestElement else { throw .tooLong }
        element.append(contentsOf: bytes[range])
    }

    /// Longer than any key that is looked for.
    private static let longestWord = 16

    private static func find(
        _ byte: UInt8, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> Int? {
        withUnsafeBytes(of: byte) { needle in
            UnsafeRawBufferPointer(rebasing: bytes[range]).firstOffset(of: needle)
        }.map { range.lowerBound + $0 }
    }

    // MARK: Structure

    private mutating func open(_ byte: UInt8) throws(Flaw) {
        guard stack.count < Self.deepest else { throw .malformed }
        let isObject = byte == UInt8(ascii: "{")
        if !isInElement {
            if isObject {
                isInElement = stack.count == elementDepth
            } else if stack.isEmpty ? isList : isListNext {
                elementDepth = stack.count + 1
            }
        }
        try append(byte)
        var level = Level(isObject: isObject)
        level.isLabels = isObject && isInElement && isLabelsNext
        level.entryStart = element.count
        stack.append(level)
        isLabelsNext = false
        isListNext = false
    }

    private var isList: Bool {
        if case .list = shape { true } else { false }
    }

    /// - Returns: whether that ends an element.
    private mutating func close(_ byte: UInt8) throws(Flaw) -> Bool {
        guard let level = stack.last, level.isObject == (byte == UInt8(ascii: "}")) else {
            throw .malformed
        }
        if level.isLabels {
            endLabel()
            if element.last == UInt8(ascii: ",") { element.removeLast() }
        }
        try append(byte)
        stack.removeLast()
        if isInElement, stack.count == elementDepth {
            isInElement = false
            return true
        }
        if stack.count + 1 == elementDepth, !level.isObject { elementDepth = nil }
        return false
    }

    private mutating func separate() throws(Flaw) {
        isLabelsNext = false
        isListNext = false
        guard let level = stack.last, level.isLabels else { return try append(UInt8(ascii: ",")) }
        if endLabel() { try append(UInt8(ascii: ",")) }
        stack[stack.count - 1].entryStart = element.count
    }

    /// Keeps the label that ends here, or takes it out again.
    ///
    /// - Returns: whether it is kept.
    @discardableResult
    private mutating func endLabel() -> Bool {
        let index = stack.count - 1
        let start = stack[index].entryStart
        let size = element.count - start
        defer { stack[index].isOverlong = false }
        let text = element[start...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        if Self.ownLabels.contains(where: { text.starts(with: $0) }) { return true }
        if !stack[index].isOverlong, stack[index].kept + size <= Self.longestLabels {
            stack[index].kept += size
            return true
        }
        element.removeSubrange(start...)
        return false
    }
}
