import Glibc

/// The layers on a terminal: those under way at the bottom, a line each, and above them, for good,
/// those that are there.
final class LayerDisplay {
    private var current: [(title: String, text: String)] = []
    private var lines = 0

    func show(_ title: String, _ count: Int64, of size: Int64?) {
        let text = size.map { "\(Self.size(count)) of \(Self.size($0))" } ?? Self.size(count)
        if let index = current.firstIndex(where: { $0.title == title }) {
            current[index].text = text
        } else {
            current.append((title, text))
        }
        draw(above: nil)
    }

    func finish(_ title: String, _ size: Int64, _ how: String) {
        current.removeAll { $0.title == title }
        draw(above: "\(title)  \(Self.size(size))  \(how)")
    }

    /// Leaves only what is done.
    func clear() {
        current = []
        draw(above: nil)
    }

    private func draw(above finished: String?) {
        var text = lines > 0 ? "\r\u{1B}[\(lines)A\u{1B}[J" : ""
        if let finished { text += finished + "\n" }
        for layer in current { text += "\(layer.title)  \(layer.text)\n" }
        lines = current.count
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func size(_ bytes: Int64) -> String {
        // A server says how many, and may say anything.
        "\((Double(bytes) / Double(1 << 20) * 10).rounded() / 10) MiB"
    }
}
