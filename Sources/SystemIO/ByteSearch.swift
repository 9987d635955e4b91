import CSystem

extension UnsafeRawBufferPointer {
    /// The offset at which `needle` is found first, in time linear in both lengths.
    public func firstOffset(of needle: UnsafeRawBufferPointer) -> Int? {
        if needle.isEmpty { return 0 }
        let offset = cz_find(baseAddress, count, needle.baseAddress, needle.count)
        return offset < 0 ? nil : offset
    }
}
