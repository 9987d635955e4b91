import FuzzSupport

@testable import ContainerzService

/// The messages together are the whole text, whenever they were taken; none is too large.
@main struct LogBatcherTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let cuts = input.cuts()
        let takesPartial = input.choice(false, true)
        // Enough for several messages, without an input of that size.
        let copies = input.choice(1, 100, 2000)
        let bytes = Array(repeatElement(input.bytes, count: copies).joined().prefix(300_000))
        var batcher = LogBatcher()
        var text = ""
        func take(_ message: String) {
            require(!message.isEmpty, "an empty message")
            require(message.utf8.count <= LogBatcher.largestMessage, "a message is too large")
            text += message
        }
        // Pieces of a few bytes would only repeat what few of them show.
        let pieces = copies == 1 ? cuts.pieces(of: bytes) : [bytes]
        for piece in pieces {
            piece.withUnsafeBytes { batcher.append($0) }
            while let message = batcher.nextFull() { take(message) }
            require(batcher.count < LogBatcher.largestMessage, "a full message was left")
            if takesPartial {
                while let message = batcher.nextPartial() { take(message) }
                require(batcher.count <= 3, "more than one character is left")
            }
        }
        while let message = batcher.last() { take(message) }
        require(
            text.utf8.elementsEqual(String(decoding: bytes, as: UTF8.self).utf8),
            "the messages are not the text")
    }
}
