import Glibc
import Testing

@testable import SystemIO

@Suite("Listening sockets") struct ListenerTests {
    /// What systemd does: it keeps the socket that it passes, for the next version of a daemon.
    @Test @EventLoop func oneThatWasPassedGoesOnListening() async throws {
        let address = SocketAddress.tcp(host: "127.0.0.1", port: 0)
        let first = try await Listener.bind(to: address)
        let kept = try Descriptor.duplicate(of: first.descriptor.number)
        let second = try Listener(adopting: try Descriptor.duplicate(of: first.descriptor.number))
        try second.start { _ in }
        second.close()
        // Nobody accepts, but the kernel does.
        _ = try await StreamSocket.connect(to: first.address)
        _ = consume kept
        try first.start { _ in }
        first.close()
        await #expect(throws: SystemError.self) {
            _ = try await StreamSocket.connect(to: first.address)
        }
    }
}
