/// Splits a command into words the way a POSIX shell does (Shell Command Language, 2.2 Quoting):
/// at blanks, with backslash, single and double quotes. Nothing is expanded.
enum ShellWords {
    /// - Throws: ``RequestError`` when a quote is not closed or a backslash is the last.
    static func split(_ text: String, field: String = "cmd") throws(RequestError) -> [String] {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var scalars = text.unicodeScalars.makeIterator()
        func escaped() throws(RequestError) -> Unicode.Scalar {
            guard let next = scalars.next() else {
                throw RequestError(field, "it ends with a backslash")
            }
            return next
        }
        while let scalar = scalars.next() {
            switch scalar {
            case " ", "\t", "\n", "\r":
                if let word { words.append(String(word)) }
                word = nil
            case "'":
                var quoted = word ?? .init()
                while true {
                    guard let next = scalars.next() else {
                        throw RequestError(field, "a single quote is not closed")
                    }
                    if next == "'" { break }
                    quoted.append(next)
                }
                word = quoted
            case "\"":
                var quoted = word ?? .init()
                while true {
                    guard let next = scalars.next() else {
                        throw RequestError(field, "a double quote is not closed")
                    }
                    if next == "\"" { break }
                    guard next == "\\" else {
                        quoted.append(next)
                        continue
                    }
                    let following = try escaped()
                    // Inside double quotes a backslash is itself before anything else.
                    if !["$", "`", "\"", "\\", "\n"].contains(following) { quoted.append("\\") }
                    if following != "\n" { quoted.append(following) }
                }
                word = quoted
            case "\\":
                let next = try escaped()
                // A newline after a backslash continues the line.
                if next != "\n" { word = (word ?? .init()) + CollectionOfOne(next) }
            default: word = (word ?? .init()) + CollectionOfOne(scalar)
            }
        }
        if let word { words.append(String(word)) }
        return words
    }
}
