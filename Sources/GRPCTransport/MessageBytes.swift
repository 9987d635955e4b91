public import GRPCCore

/// The bytes of one message, in a single allocation that is filled in place as they arrive.
public struct MessageBytes: GRPCContiguousBytes, Sendable {
    /// `@unchecked Sendable`: the memory is written only through a `mutating` method that has
    /// made sure of being its sole reference, so what is shared is never written.
    private final class Storage: @unchecked Sendable {
        let pointer: UnsafeMutableRawBufferPointer

        init(capacity: Int) {
            pointer = .allocate(byteCount: capacity, alignment: 16)
        }

        deinit { pointer.deallocate() }
    }

    private var storage: Storage
    public private(set) var count: Int

    /// Room for `capacity` bytes, none of them filled.
    init(capacity: Int) {
        storage = Storage(capacity: capacity)
        count = 0
    }

    public init(repeating byte: UInt8, count: Int) {
        self.init(capacity: count)
        storage.pointer.initializeMemory(as: UInt8.self, repeating: byte)
        self.count = count
    }

    public init<Bytes: Sequence>(_ sequence: Bytes) where Bytes.Element == UInt8 {
        let bytes = ContiguousArray(sequence)
        self.init(capacity: bytes.count)
        storage.pointer.copyBytes(from: bytes)
        count = bytes.count
    }

    /// The bytes that there is memory for.
    var capacity: Int { storage.pointer.count }

    /// The bytes that can still be appended.
    var room: Int { storage.pointer.count - count }

    /// Appends as many of the bytes as there is room for.
    ///
    /// - Returns: how many those were.
    mutating func fill(from bytes: UnsafeRawBufferPointer) -> Int {
        let taken = min(room, bytes.count)
        makeUnique()
        UnsafeMutableRawBufferPointer(rebasing: storage.pointer[count...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
        count += taken
        return taken
    }

    public func withUnsafeBytes<R>(
        _ body: (_ buffer: UnsafeRawBufferPointer) throws -> R
    ) rethrows -> R {
        try body(UnsafeRawBufferPointer(rebasing: storage.pointer[..<count]))
    }

    public mutating func withUnsafeMutableBytes<R>(
        _ body: (_ buffer: UnsafeMutableRawBufferPointer) throws -> R
    ) rethrows -> R {
        makeUnique()
        return try body(UnsafeMutableRawBufferPointer(rebasing: storage.pointer[..<count]))
    }

    private mutating func makeUnique() {
        guard !isKnownUniquelyReferenced(&storage) else { return }
        let copy = Storage(capacity: storage.pointer.count)
        copy.pointer.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage.pointer[..<count]))
        storage = copy
    }
}
