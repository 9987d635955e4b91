import Glibc

extension Descriptor {
    /// Reads all there is, waiting for it.
    ///
    /// - Parameter path: for messages.
    /// - Throws: `SystemError`, EFBIG for more than `limit` bytes.
    public borrowing func readToEnd(atMost limit: Int, of path: String) throws(SystemError)
        -> [UInt8]
    {
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while let count = try read(into: buffer), count > 0 {
            bytes.append(contentsOf: buffer[..<count])
            guard bytes.count <= limit else { throw SystemError("read", on: path, code: EFBIG) }
        }
        return bytes
    }
}
