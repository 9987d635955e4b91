/// Rows in aligned columns, for people.
public struct Table {
    private var rows: [[String]]

    public init(_ header: [String]) { rows = [header] }

    public mutating func add(_ row: [String]) { rows.append(row) }

    /// One line a row; the last column is not padded.
    public var text: String {
        let columns = rows[0].count
        let widths = (0..<columns).map { column in
            rows.map { Self.printable($0[column]).count }.max() ?? 0
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let cell = Self.printable(cell)
                let isLast = column == columns - 1
                let padding = isLast ? 0 : widths[column] - cell.count + 2
                return cell + String(repeating: " ", count: padding)
            }.joined() + "\n"
        }.joined()
    }

    /// What a device says must not move the cursor.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
