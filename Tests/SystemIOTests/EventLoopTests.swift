import Glibc
import SystemIO
import Testing

@Suite struct EventLoopTests {
    @Test func sleepsForAtLeastTheTimeGiven() async throws {
        let start = ContinuousClock.now
        try await EventLoop.sleep(for: .milliseconds(30))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test func cancellingASleepEndsItAtOnce() async {
        let sleeper = Task { try await EventLoop.sleep(for: .seconds(3600)) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test func timersFireInTheOrderTheyAreDue() async throws {
        let order = await { @EventLoop in
            let order = Order()
            await withCheckedContinuation { continuation in
                _ = EventLoop.Timer(after: .milliseconds(20)) {
                    order.values.append(2)
                    continuation.resume()
                }
                _ = EventLoop.Timer(after: .milliseconds(5)) { order.values.append(1) }
                let cancelled = EventLoop.Timer(after: .milliseconds(1)) { order.values.append(0) }
                cancelled.cancel()
            }
            return order.values
        }()
        #expect(order == [1, 2])
    }

    @EventLoop
    private final class Chain {
        var isOn = true

        nonisolated init() {}

        func go() {
            guard isOn else { return }
            _ = EventLoop.Timer(after: .zero) { self.go() }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aTimerThatSetsItselfAgainLeavesOthersTheirTurn() async throws {
        let chain = Chain()
        await chain.go()
        // Back from another thread, which the loop only hears of between two turns.
        try await { @EventLoop in
            try await withOwnThread(named: "sleeper") { _ = usleep(50_000) }
            chain.isOn = false
        }()
    }

    @Test func bytesAndDescriptorsCrossASocketPair() async throws {
        try await { @EventLoop in
            let pair = try StreamSocket.pair()
            let pipe = try Descriptor.pipe()
            let sent = try "hello".utf8.withContiguousStorageIfAvailable {
                try pair.first.send(UnsafeRawBufferPointer($0), descriptors: [pipe.write.number])
            }
            #expect(sent == 5)
            try await Watch.once(pair.second.number, for: .readable)
            var buffer = [UInt8](repeating: 0, count: 16)
            var descriptors: [CInt] = []
            let count = try buffer.withUnsafeMutableBytes {
                try pair.second.receive(into: $0, descriptors: &descriptors)
            }
            #expect(count == 5)
            #expect(descriptors.count == 1)
            let passed = Descriptor(owning: try #require(descriptors.first))
            try [UInt8]("through".utf8).withUnsafeBytes { try passed.writeAll($0) }
            let read = try buffer.withUnsafeMutableBytes { try pipe.read.read(into: $0) }
            #expect(read == 7)
        }()
    }

    @Test func aDescriptorThatNobodyTakesIsClosed() throws {
        let pipe = try Descriptor.pipe()
        var handoff: DescriptorHandoff? = DescriptorHandoff(pipe.write)
        withExtendedLifetime(handoff) {}
        handoff = nil
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { buffer.deallocate() }
        // The end of the file, since there is no other end any more.
        let count = try pipe.read.read(into: buffer)
        #expect(count == 0)
        let other = try Descriptor.pipe()
        let taken = DescriptorHandoff(other.write)
        let number = try taken.take().number
        #expect(number >= 0)
        #expect(throws: SystemError.self) { _ = try taken.take().number }
    }

    @Test func blockingWorkLeavesTheLoopFree() async throws {
        let pipe = try Descriptor.pipe()
        let input = pipe.read.number
        async let blocked = withOwnThread(named: "test") {
            var byte: UInt8 = 0
            // Waits for what the loop writes once it has slept.
            _ = read(input, &byte, 1)
            return byte
        }
        try await EventLoop.sleep(for: .milliseconds(1))
        try [7 as UInt8].withUnsafeBytes { try pipe.write.writeAll($0) }
        #expect(try await blocked == 7)
        pipe.read.close()
    }

    @EventLoop final class Order { var values: [Int] = [] }
}
