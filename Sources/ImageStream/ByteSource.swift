/// Where an archive's bytes come from. It is asked from one thread, which it may hold up.
public protocol ByteSource: AnyObject {
    /// The next bytes, which stay where they are until the next call; empty at the end.
    ///
    /// - Throws: what ends the stream before its end; it is passed on as
    ///   ``ImageStreamError/source(_:)``.
    func next() throws -> UnsafeRawBufferPointer
}
