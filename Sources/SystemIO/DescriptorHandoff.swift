import Glibc
import Synchronization

/// A descriptor on its way to a task or thread, which may never come to take it: then it is closed
/// with this.
public final class DescriptorHandoff: Sendable {
    private let number: Atomic<CInt>
    private static let taken: CInt = -1

    public init(_ descriptor: consuming Descriptor) {
        number = Atomic(descriptor.release())
    }

    deinit { close() }

    /// Closes it unless it was taken: nobody will come.
    public func close() {
        let rest = number.exchange(Self.taken, ordering: .acquiringAndReleasing)
        if rest != Self.taken { Descriptor(owning: rest).close() }
    }

    /// Hands it over, once.
    ///
    /// - Throws: `SystemError` with EBADF when it was taken before.
    public func take() throws(SystemError) -> Descriptor {
        let number = number.exchange(Self.taken, ordering: .acquiringAndReleasing)
        guard number != Self.taken else { throw SystemError("take", code: EBADF) }
        return Descriptor(owning: number)
    }
}
