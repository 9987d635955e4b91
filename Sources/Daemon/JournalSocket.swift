import Glibc
import SystemIO

/// A datagram socket connected to the journal.
final class JournalSocket: Sendable {
    private let descriptor: Descriptor

    /// nil where there is no journal.
    init?() {
        guard let descriptor = try? DatagramSocket.connect(toPath: "/run/systemd/journal/socket")
        else { return nil }
        self.descriptor = descriptor
    }

    /// Never waits; a record the journal has no room for is lost, as everybody's is.
    func send(_ record: [UInt8]) {
        let number = descriptor.number
        record.withUnsafeBytes {
            _ = Glibc.send(
                number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
        }
    }
}
