import Fleet
import FuzzSupport
import PrintableText

/// What a targets file says is shown in every line about a device: it has no control characters,
/// and neither has what is said of a file that is none. What was read reads back as itself.
@main struct TargetsFileTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let entries: [(member: FleetMember, line: Int)]
        do throws(FleetError) {
            entries = try TargetsFile(input.bytes, named: "targets", defaultPort: 9339).entries
        } catch {
            requirePrintable("\(error)")
            return
        }
        for (member, line) in entries {
            require(line > 0, "a line \(line)")
            requirePrintable(member.name)
            requirePrintable("\(member.address)")
            var words = ["\(member.address)", "name=\(member.name)"]
            if let name = member.serverName { words.append("server-name=\(name)") }
            words += member.labels.map { "\($0.key)=\($0.value)" }
            // A word that begins with "#" is a comment, and one that was quoted there is none.
            guard words.allSatisfy({ !$0.hasPrefix("#") }) else { continue }
            let again = try? TargetsFile(
                Array(words.joined(separator: " ").utf8), named: "again", defaultPort: 9339)
            requireEqual(again?.entries.map(\.member), [member])
        }
    }

    private static func requirePrintable(_ text: String) {
        require(
            !text.unicodeScalars.contains(where: \.controlsTerminal),
            "control characters in '\(text)'")
    }
}
