import PrintableText

/// Rows in aligned columns, for people.
public struct Table {
    private var rows: [[String]]

    /// A wide cell of one table is no reason for blanks in all others.
    private static let widestShared = 64

    public init(_ header: [String]) { rows = [header] }

    public mutating func add(_ row: [String]) { rows.append(row) }

    /// One line a row; the last column is not padded.
    public var text: String {
        var widths: [Int] = []
        return text(alignedWith: &widths)
    }

    /// Likewise, of one table of several below each other, which share a header.
    ///
    /// - Parameter widths: of the columns so far, and then with this table's; empty for the first,
    ///   which shows the header.
    public func text(alignedWith widths: inout [Int]) -> String {
        let isFirst = widths.isEmpty
        widths = rows[0].indices.map { column in
            let width = rows.map { printable($0[column]).count }.max() ?? 0
            return isFirst ? width : max(width, widths[column])
        }
        defer { widths = widths.map { min($0, Self.widestShared) } }
        return rows.dropFirst(isFirst ? 0 : 1).map { row in
            row.enumerated().map { column, cell in
                let cell = printable(cell)
                let isLast = column == row.count - 1
                let padding = isLast ? 0 : max(widths[column] - cell.count, 0) + 2
                return cell + String(repeating: " ", count: padding)
            }.joined() + "\n"
        }.joined()
    }

    /// The same with a column before the others, which has one text in all rows.
    public func headed(_ header: String, _ text: String) -> Table {
        var table = self
        for row in rows.indices { table.rows[row].insert(row == 0 ? header : text, at: 0) }
        return table
    }
}
