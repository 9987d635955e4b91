/// How much an archive may grow on its way.
public struct ImageStreamLimits: Hashable, Sendable {
    /// Bytes of the archive once decompressed, and likewise of all its layers.
    public var maximumExpansion: Int64

    /// Layers of text shrink to a tenth and rarely to a hundredth; what shrinks to less holds
    /// nothing but zeros.
    static let mostExpansion: Int64 = 200
    /// What an archive of any size may expand to, so that small ones full of zeros still pass.
    static let leastLimit: Int64 = 64 << 20

    public init(maximumExpansion: Int64) {
        self.maximumExpansion = maximumExpansion
    }

    /// The limits of an archive of `size` bytes, for storage with `free` bytes left, where that
    /// is known.
    public init(archiveSize size: Int64, freeStorage free: Int64?) {
        let (product, overflow) = size.multipliedReportingOverflow(by: Self.mostExpansion)
        let expansion = overflow ? Int64.max : max(product, Self.leastLimit)
        maximumExpansion = min(expansion, free ?? .max)
    }
}
