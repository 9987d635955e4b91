import GNOI
import GRPCCore
import GRPCProtobuf
import RuntimeAPI
import SwiftProtobuf

/// Decodes requests that are not larger than one can be that is within the limits: decoding megabytes
/// of small elements, only to refuse them, would hold up the event loop.
struct RequestDeserializer<Request: SwiftProtobuf.Message & LimitedRequest>: MessageDeserializer {
    /// - Throws: `RuntimeError.invalidArgument` with the field that takes most of a message that is
    ///   too large.
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Request {
        try bytes.withUnsafeBytes { bytes in
            guard bytes.count > Request.sizeLimit.maximum else { return }
            let (number, size) = Self.largestField(in: bytes)
            try Request.sizeLimit.check(
                Request.fieldNames[number] ?? "request", max(size, Request.sizeLimit.maximum + 1))
        }
        return try ProtobufDeserializer<Request>().deserialize(bytes)
    }

    /// The number of the field whose values have most bytes together, and those bytes (protobuf,
    /// Encoding). What is malformed ends the search.
    private static func largestField(
        in bytes: UnsafeRawBufferPointer
    ) -> (number: Int, size: Int) {
        // Numbers of the API's fields; others count as 0.
        var sizes = [Int](repeating: 0, count: 16)
        var index = 0
        func varint() -> UInt64? {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                guard index < bytes.count else { return nil }
                let byte = bytes[index]
                index += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte & 0x80 == 0 { return value }
            }
            return nil
        }
        fields: while index < bytes.count {
            let start = index
            guard let tag = varint() else { break }
            let length: UInt64
            switch tag & 7 {
            case 0:
                guard varint() != nil else { break fields }
                length = 0
            case 1: length = 8
            case 2:
                guard let announced = varint() else { break fields }
                length = announced
            case 5: length = 4
            default: length = .max
            }
            guard length <= UInt64(bytes.count - index) else { break fields }
            index += Int(length)
            let number = Int(clamping: tag >> 3)
            sizes[number < sizes.count ? number : 0] += index - start
        }
        var largest = 0
        for number in sizes.indices where sizes[number] > sizes[largest] { largest = number }
        return (largest, sizes[largest])
    }
}
