import Glibc
import Synchronization
import SystemIO

/// Descriptors that travel with a call; those that nobody takes are closed.
public final class PassedDescriptors: Sendable {
    private let numbers: Mutex<[CInt]>
    private static let taken: CInt = -1

    /// Takes over descriptors by number.
    init(owning numbers: [CInt]) {
        self.numbers = Mutex(numbers)
    }

    /// Takes over one descriptor, to be passed with a call.
    public convenience init(_ descriptor: consuming Descriptor) {
        self.init(owning: [descriptor.release()])
    }

    deinit { close() }

    /// How many came, taken ones included.
    public var count: Int { numbers.withLock { $0.count } }

    /// Hands the descriptor at an index to the caller.
    ///
    /// - Returns: nil when there is none at that index, or none any more.
    public func take(_ index: Int) -> Descriptor? {
        let number = numbers.withLock { numbers in
            guard numbers.indices.contains(index) else { return Self.taken }
            defer { numbers[index] = Self.taken }
            return numbers[index]
        }
        return number == Self.taken ? nil : Descriptor(owning: number)
    }

    /// Closes those that nobody took.
    func close() {
        numbers.withLock { numbers in
            for index in numbers.indices where numbers[index] != Self.taken {
                _ = Glibc.close(numbers[index])
                numbers[index] = Self.taken
            }
        }
    }

    /// Hands all of them to the caller.
    func releaseAll() -> [CInt] {
        numbers.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
    }

    /// The numbers, for sendmsg(2) to borrow.
    var borrowed: [CInt] { numbers.withLock { $0.filter { $0 != Self.taken } } }
}
