import CSystem
import Glibc

/// A socket address as the kernel takes it.
public struct ResolvedAddress: Sendable {
    private var storage: sockaddr_storage
    private var length: socklen_t

    public var family: CInt { CInt(storage.ss_family) }

    /// All addresses of a name, in the resolver's order; asks the network, so it runs on a
    /// thread of its own unless the host is a number.
    ///
    /// - Throws: `ResolutionError` when the name has none.
    public static func resolve(_ address: SocketAddress) async throws -> [ResolvedAddress] {
        switch address {
        case .unix(let path):
            return [try ResolvedAddress(path: path)]
        case .tcp(let host, let port):
            if let numeric = try? lookUp(host, port, AI_NUMERICHOST), !numeric.isEmpty {
                return numeric
            }
            return try await withOwnThread(named: "resolver") { try lookUp(host, port, 0) }
        }
    }

    private static func lookUp(
        _ host: String, _ port: UInt16, _ flags: CInt
    ) throws(ResolutionError) -> [ResolvedAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let reason =
                status == EAI_SYSTEM
                ? String(cString: strerror(errno)) : String(cString: gai_strerror(status))
            throw ResolutionError(host: host, reason: reason)
        }
        defer { freeaddrinfo(list) }
        var addresses: [ResolvedAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                addresses.append(ResolvedAddress(copying: address, length: entry.ai_addrlen))
            }
            next = entry.ai_next
        }
        return addresses
    }

    private init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
        storage = sockaddr_storage()
        self.length = min(length, socklen_t(MemoryLayout<sockaddr_storage>.size))
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(self.length)))
        }
    }

    /// The address of a unix socket.
    static func unix(_ path: String) throws(SystemError) -> ResolvedAddress {
        try ResolvedAddress(path: path)
    }

    private init(path: String) throws(SystemError) {
        let bytes = Array(path.utf8)
        guard bytes.count <= SocketAddress.longestPath, !bytes.contains(0) else {
            throw SystemError("connect", on: path, code: ENAMETOOLONG)
        }
        storage = sockaddr_storage()
        storage.ss_family = sa_family_t(AF_UNIX)
        let offset = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? 2
        length = socklen_t(offset + bytes.count + (bytes.first == UInt8(ascii: "@") ? 0 : 1))
        withUnsafeMutableBytes(of: &storage) { storage in
            UnsafeMutableRawBufferPointer(rebasing: storage[offset...]).copyBytes(from: bytes)
            if bytes.first == UInt8(ascii: "@") { storage[offset] = 0 }
        }
    }

    /// The address of a socket's own end, or its peer's.
    init?(
        of descriptor: CInt,
        by call: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, &length) }
        }
        guard status == 0 else { return nil }
        self.storage = storage
        self.length = length
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// `ipv4:1.2.3.4:5`, `ipv6:[::1]:5` or `unix:PATH`, the way gRPC writes peers.
    public var peerName: String {
        if family == AF_UNIX {
            let offset = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? 2
            return withUnsafeBytes(of: storage) { bytes in
                var path = bytes[min(offset, Int(length))..<Int(length)]
                if path.first == 0, path.count > 1 {
                    return "unix:@" + String(decoding: path.dropFirst(), as: UTF8.self)
                }
                path = path.prefix { $0 != 0 }
                return "unix:" + String(decoding: path, as: UTF8.self)
            }
        }
        guard let socketAddress, case .tcp(let host, let port) = socketAddress else {
            return "unknown"
        }
        return family == AF_INET6 ? "ipv6:[\(host)]:\(port)" : "ipv4:\(host):\(port)"
    }

    /// The numbers, for Internet addresses.
    public var socketAddress: SocketAddress? {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let status = withPointer {
            getnameinfo(
                $0, $1, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard family != AF_UNIX, status == 0 else { return nil }
        func text(_ characters: [CChar]) -> String {
            String(
                decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self)
        }
        guard let port = UInt16(text(service)) else { return nil }
        return .tcp(host: text(host), port: port)
    }
}

/// A host name without an address.
public struct ResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
    public var host: String
    public var reason: String
    public var description: String { "\(host): \(reason)" }
}
