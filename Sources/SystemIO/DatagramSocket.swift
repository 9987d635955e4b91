import CSystem
import Glibc

/// Datagrams to a unix socket.
public enum DatagramSocket {
    public static func connect(toPath path: String) throws(SystemError) -> Descriptor {
        let address = try ResolvedAddress.unix(path)
        let socket = Descriptor(
            owning: try check("socket") {
                Glibc.socket(
                    AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        let number = socket.number
        try check("connect", on: path) { address.withPointer { cz_connect(number, $0, $1) } }
        return socket
    }
}
