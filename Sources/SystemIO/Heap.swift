import CSystem

/// How the C library's allocator deals with the pieces of images that pass through.
public enum Heap {
    /// Larger than any message and what it is copied into.
    private static let mappingThreshold: CInt = 8 << 20
    /// Room for the messages of an image that are under way at a time.
    private static let trimThreshold: CInt = 4 << 20

    /// Keeps memory that was freed for the next message of its size. By itself the allocator gives
    /// each back to the kernel, which then has to clear every page of it for the next one: a fifth
    /// of what passing an image on costs.
    public static func keepFreedMessages() {
        cz_heap_thresholds(mappingThreshold, trimThreshold)
    }

    /// Gives back what is free, when no image is under way any more.
    public static func giveBack() {
        cz_heap_trim()
    }
}
