import GRPCCore
import SwiftProtobuf

extension Device {
    /// Bytes of a list, far more than a device has names for.
    private static let largestList = 64 << 20

    /// Takes a list that a device streams.
    ///
    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED when it does not end.
    static func collect<Message: SwiftProtobuf.Message, Element>(
        _ messages: RPCAsyncSequence<Message, any Error>, _ element: (Message) -> Element
    ) async throws -> [Element] {
        var elements: [Element] = []
        var size = 0
        for try await message in messages {
            let bytes: [UInt8] = try message.serializedBytes()
            // An empty message costs something as well.
            size += bytes.count + 64
            guard size <= largestList else {
                throw RPCError(
                    code: .resourceExhausted,
                    message: "the device's list has more than \(largestList) bytes")
            }
            elements.append(element(message))
        }
        return elements
    }
}
