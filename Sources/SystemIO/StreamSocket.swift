import CSystem
import Glibc

/// A connected stream socket that never blocks; the one owner of its descriptor.
public struct StreamSocket: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// The number, for a watch or a C library that borrows it.
    public var number: CInt { descriptor.number }

    /// Takes over a connected socket.
    public init(owning descriptor: consuming Descriptor) throws(SystemError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
    }

    /// Connects to the first of the addresses that answers.
    ///
    /// - Parameter timeout: how long each of them may take; nil for the kernel's own limit.
    /// - Throws: the `SystemError` of the last attempt, or `CancellationError`.
    @EventLoop
    public static func connect(
        to address: SocketAddress, timeout: Duration? = nil
    ) async throws -> StreamSocket {
        var failure: any Error = SystemError("connect", on: "\(address)", code: EADDRNOTAVAIL)
        for resolved in try await ResolvedAddress.resolve(address) {
            do {
                return try await connect(to: resolved, named: "\(address)", timeout)
            } catch let error as SystemError {
                failure = error
            }
        }
        throw failure
    }

    @EventLoop
    private static func connect(
        to address: ResolvedAddress, named name: String, _ timeout: Duration?
    ) async throws -> StreamSocket {
        let family = address.family
        let socket = Descriptor(
            owning: try check("socket") {
                Glibc.socket(
                    family,
                    CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            })
        let number = socket.number
        if family != AF_UNIX { _ = cz_set_option(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1) }
        let status = address.withPointer { cz_connect(number, $0, $1) }
        if status != 0 {
            let code = errno
            guard code == EINPROGRESS else { throw SystemError("connect", on: name, code: code) }
            try await Watch.once(number, for: .writable, timeout: timeout)
            var error: CInt = 0
            try check("getsockopt") { cz_get_option(number, SOL_SOCKET, SO_ERROR, &error) }
            guard error == 0 else { throw SystemError("connect", on: name, code: error) }
        }
        return try StreamSocket(owning: socket)
    }

    /// Two unix sockets connected to each other.
    @frozen
    public struct Pair: ~Copyable, Sendable {
        public var first: StreamSocket
        public var second: StreamSocket
    }

    /// A pair of connected unix sockets.
    public static func pair() throws(SystemError) -> Pair {
        var ends: (CInt, CInt) = (-1, -1)
        try check("socketpair") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: CInt.self, capacity: 2) {
                    socketpair(
                        AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, $0)
                }
            }
        }
        let second = Descriptor(owning: ends.1)
        let first = try StreamSocket(owning: Descriptor(owning: ends.0))
        return Pair(first: first, second: try StreamSocket(owning: second))
    }

    /// Who is at the other end of a unix socket, as of its connect(2).
    public borrowing func peerCredentials() throws(SystemError) -> PeerCredentials {
        var user: uid_t = 0
        var process: pid_t = 0
        let number = self.number
        try check("getsockopt") { cz_peer(number, &user, &process) }
        return PeerCredentials(userID: user, processID: process)
    }

    /// The peer's address, the way gRPC writes it.
    public borrowing func peerName() -> String {
        ResolvedAddress(of: number, by: cz_getpeername)?.peerName ?? "unknown"
    }

    /// The address of this end, the way gRPC writes it.
    public borrowing func localName() -> String {
        ResolvedAddress(of: number, by: cz_getsockname)?.peerName ?? "unknown"
    }

    /// Reads once.
    ///
    /// - Returns: the bytes read, 0 at the end of the stream, nil when there are none yet.
    public borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int? {
        let number = self.number
        return try checkUnlessBusy("recv") {
            recv(number, buffer.baseAddress, buffer.count, 0)
        }
    }

    /// Writes once, without SIGPIPE.
    ///
    /// - Returns: the bytes written, nil when there is no room yet.
    public borrowing func write(_ buffer: UnsafeRawBufferPointer) throws(SystemError) -> Int? {
        let number = self.number
        return try checkUnlessBusy("send") {
            cz_write_socket(number, buffer.baseAddress, buffer.count)
        }
    }

    /// Reads once, with the descriptors that came along; the caller owns them.
    ///
    /// - Returns: as `read(into:)`.
    /// - Throws: EMSGSIZE when the peer passed more than ``maximumDescriptors``.
    public borrowing func receive(
        into buffer: UnsafeMutableRawBufferPointer, descriptors: inout [CInt]
    ) throws(SystemError) -> Int? {
        let number = self.number
        var count = 0
        var truncated: CInt = 0
        var numbers = [CInt](repeating: -1, count: Self.maximumDescriptors)
        let received = try checkUnlessBusy("recvmsg") {
            cz_receive(number, buffer.baseAddress, buffer.count, &numbers, &count, &truncated)
        }
        guard let received else { return nil }
        descriptors.append(contentsOf: numbers[..<count])
        guard truncated == 0 else { throw SystemError("recvmsg", code: EMSGSIZE) }
        return received
    }

    /// Writes once, passing descriptors along with the first byte; they stay the caller's.
    ///
    /// - Returns: as `write(_:)`; once it returns a number the descriptors have gone out.
    public borrowing func send(
        _ buffer: UnsafeRawBufferPointer, descriptors: [CInt]
    ) throws(SystemError) -> Int? {
        let number = self.number
        return try checkUnlessBusy("sendmsg") {
            cz_send(number, buffer.baseAddress, buffer.count, descriptors, descriptors.count)
        }
    }

    /// The most descriptors that travel with one message.
    public static let maximumDescriptors = Int(CZ_MAX_DESCRIPTORS)

    /// Says that nothing more will be written; the peer reads an end of file.
    public borrowing func shutdownWriting() {
        _ = shutdown(number, CInt(SHUT_WR))
    }
}

/// Whose process is at the other end of a unix socket.
public struct PeerCredentials: Hashable, Sendable {
    public var userID: uid_t
    /// The process that connected, which may have ended since; 0 where it is in another PID
    /// namespace or unknown.
    public var processID: pid_t

    public init(userID: uid_t, processID: pid_t = 0) {
        self.userID = userID
        self.processID = processID
    }
}
