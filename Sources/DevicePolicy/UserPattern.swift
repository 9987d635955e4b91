/// A user of a container, by name or number. `root` and every way to write 0 are one.
public struct UserPattern: Hashable, Sendable, CustomStringConvertible {
    private let glob: Glob

    static let any = UserPattern("*")

    public init(_ text: String) { glob = Glob(Self.normalised(text)) }

    public var description: String { glob.pattern }

    var isAny: Bool { glob.isAny }

    func matches(_ user: String) -> Bool { glob.matches(Self.normalised(user)) }

    /// A number without what does not change it, or a name; without its group.
    static func normalised(_ text: String) -> String {
        // By bytes, as the engines do: to Swift a colon with a combining character after it is
        // another character.
        let user = Substring(text.utf8.prefix { $0 != UInt8(ascii: ":") })
        if user.isEmpty || user == "root" { return "0" }
        // The engines take +0 and -0 for numbers as well.
        let digits = user.first == "+" || user.first == "-" ? user.dropFirst() : user
        guard isNumber(digits) else { return String(user) }
        let number = digits.drop { $0 == "0" }
        if number.isEmpty { return "0" }
        return user.first == "-" ? "-\(number)" : String(number)
    }

    static func isNumber(_ text: some StringProtocol) -> Bool {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return !text.isEmpty && text.utf8.allSatisfy(digits.contains)
    }
}
