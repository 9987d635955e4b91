import FoundationEssentials
import FuzzSupport

@testable import ContainerEngine

/// Answers of an engine: the elements of a list do not depend on how it is cut into pieces, and
/// where the answer is sound and small, nothing is lost of them.
@main struct EngineAnswerTarget: FuzzTarget {
    private struct Element: Decodable, Equatable {
        var names: [String]?
        var labels: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case names = "Names"
            case labels = "Labels"
        }
    }

    private struct Volumes: Decodable {
        var volumes: [Element]?

        private enum CodingKeys: String, CodingKey { case volumes = "Volumes" }
    }

    static func run(_ input: inout FuzzInput) {
        let shape = input.choice(
            AnswerScanner.Shape.list, .listUnder("Volumes"), .document)
        let cuts = input.cuts()
        let whole = scan(shape, [input.bytes])
        requireEqual(scan(shape, cuts.pieces(of: input.bytes)), whole, "pieces matter")
        // The decoder also takes UTF-16, which no engine speaks.
        if input.bytes.contains(0) { return }
        let decoder = JSONDecoder()
        let data = Data(input.bytes)
        // A key that is there twice is kept twice, and the decoder decides.
        switch shape {
        case .list:
            guard let expected = try? decoder.decode([Element].self, from: data) else { return }
            compare(whole, expected)
        case .listUnder:
            guard let expected = try? decoder.decode(Volumes.self, from: data),
                text(input.bytes, has: "\"Volumes\"") == 1
            else { return }
            compare(whole, expected.volumes ?? [])
        case .document:
            guard let expected = try? decoder.decode(Element.self, from: data) else { return }
            compare(whole, [expected])
        }
    }

    private static func text(_ bytes: [UInt8], has needle: String) -> Int {
        String(decoding: bytes, as: UTF8.self).ranges(of: needle).count
    }

    private static func compare(_ found: [[UInt8]]?, _ expected: [Element]) {
        guard let found else { fatalError("a sound answer is refused") }
        let elements = found.map { try? JSONDecoder().decode(Element.self, from: Data($0)) }
        requireEqual(elements, expected, "an element is not what it was")
    }

    /// nil for what is malformed; where it shows first depends on the pieces.
    private static func scan(_ shape: AnswerScanner.Shape, _ pieces: [[UInt8]]) -> [[UInt8]]? {
        var scanner = AnswerScanner(shape)
        var elements: [[UInt8]] = []
        do {
            for piece in pieces { try scanner.feed(piece) { elements.append($0) } }
            try scanner.end()
        } catch {
            return nil
        }
        return elements
    }
}
