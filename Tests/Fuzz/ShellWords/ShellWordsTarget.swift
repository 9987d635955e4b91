import FuzzSupport

@testable import ContainerzService

/// Words that are quoted, in any way, are split into the same words.
@main struct ShellWordsTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let way = input.choice(of: 3)
        let separator = input.choice(" ", "\t\t", "\n", " \\\n ")
        let text = input.text
        if let words = try? ShellWords.split(text) {
            require(
                words.reduce(0) { $0 + $1.utf8.count } <= text.utf8.count,
                "the words are longer than the text")
        }
        // NUL ends a word here; it could be no part of an argument anyway.
        let words = text.unicodeScalars.split(separator: "\0", omittingEmptySubsequences: false)
            .map { String($0) }
        let quoted = words.map { quote($0, way) }.joined(separator: separator)
        do {
            requireEqual(try ShellWords.split(quoted), words)
        } catch {
            fatalError("\(error): \(quoted)")
        }
    }

    private static func quote(_ word: String, _ way: Int) -> String {
        var quoted = ""
        switch way {
        case 0:
            for scalar in word.unicodeScalars {
                quoted += scalar == "'" ? "'\\''" : String(scalar)
            }
            return "'\(quoted)'"
        case 1:
            let special: [Unicode.Scalar] = ["$", "`", "\"", "\\"]
            for scalar in word.unicodeScalars {
                quoted += special.contains(scalar) ? "\\\(scalar)" : String(scalar)
            }
            return "\"\(quoted)\""
        default:
            // A newline cannot be escaped by a backslash, nor can nothing.
            for scalar in word.unicodeScalars {
                quoted += scalar == "\n" ? "'\n'" : "\\\(scalar)"
            }
            return quoted.isEmpty ? "''" : quoted
        }
    }
}
