import CSystem
import Glibc

/// A listening stream socket.
///
/// A unix socket's file is removed when the listener that made it closes; one that systemd
/// passed in is left alone.
@EventLoop
public final class Listener {
    let descriptor: Descriptor
    private var watch: Watch?
    private var retry: EventLoop.Timer?
    private let pathToRemove: String?
    /// Whether somebody else has the socket as well, who wants to go on listening.
    private let isShared: Bool
    /// Where it listens; the port is the real one even when 0 was asked for.
    public nonisolated let address: SocketAddress

    /// Connections that the kernel may hold until they are accepted.
    private static let backlog: CInt = 512
    /// Connections accepted before other descriptors get their turn.
    private static let acceptBatch = 32
    /// How long to rest when the process is out of descriptors, rather than to spin.
    private static let exhaustionPause: Duration = .milliseconds(50)

    /// Binds and listens; nothing is accepted before ``start(_:)``.
    ///
    /// - Parameters:
    ///   - mode: of a unix socket's file.
    ///   - group: of a unix socket's file; nil for the process's own.
    /// - Throws: `SystemError` or `ResolutionError`.
    public static func bind(
        to address: SocketAddress, mode: mode_t = 0o660, group: gid_t? = nil
    ) async throws -> Listener {
        guard let resolved = try await ResolvedAddress.resolve(address).first else {
            throw SystemError("bind", on: "\(address)", code: EADDRNOTAVAIL)
        }
        let family = resolved.family
        let socket = Descriptor(
            owning: try check("socket") {
                Glibc.socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        let number = socket.number
        if case .unix(let path) = address {
            try await removeStale(path, resolved)
            // From the very first moment: what bind(2) makes has this mode, less the umask.
            try check("fchmod", on: path) { fchmod(number, 0o600) }
        } else {
            try check("setsockopt") { cz_set_option(number, SOL_SOCKET, SO_REUSEADDR, 1) }
            if family == AF_INET6 {
                // [::] means every address, IPv4 included, as operators expect of a daemon.
                _ = cz_set_option(number, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0)
            }
        }
        try check("bind", on: "\(address)") { resolved.withPointer { cz_bind(number, $0, $1) } }
        if case .unix(let path) = address, !path.hasPrefix("@") {
            if let group { try check("chown", on: path) { chown(path, uid_t.max, group) } }
            try check("chmod", on: path) { chmod(path, mode) }
        }
        try check("listen", on: "\(address)") { listen(number, backlog) }
        return try Listener(owning: socket, fallback: address, removes: true)
    }

    /// Takes over a socket that listens already, such as one from systemd.
    public convenience init(adopting descriptor: consuming Descriptor) throws(SystemError) {
        let unknown = SocketAddress.unix(path: "fd:\(descriptor.number)")
        try self.init(owning: descriptor, fallback: unknown, removes: false)
    }

    private init(
        owning descriptor: consuming Descriptor, fallback: SocketAddress, removes: Bool
    ) throws(SystemError) {
        try descriptor.setNonBlocking()
        let bound = ResolvedAddress(of: descriptor.number, by: cz_getsockname)
        if let bound, bound.family == AF_UNIX {
            address = .unix(path: String(bound.peerName.dropFirst("unix:".count)))
        } else {
            address = bound?.socketAddress ?? fallback
        }
        if removes, case .unix(let path) = address, !path.hasPrefix("@") {
            pathToRemove = path
        } else {
            pathToRemove = nil
        }
        isShared = !removes
        self.descriptor = descriptor
    }

    /// Removes the file of a socket nobody listens on any more, the trace of a killed daemon.
    private static func removeStale(_ path: String, _ resolved: ResolvedAddress) async throws {
        var status = stat()
        guard !path.hasPrefix("@"), lstat(path, &status) == 0,
            status.st_mode & S_IFMT == S_IFSOCK
        else { return }
        do {
            _ = try await StreamSocket.connect(to: .unix(path: path))
        } catch let error as SystemError where error.code == ECONNREFUSED {
            try check("unlink", on: path) { unlink(path) }
            return
        }
        throw SystemError("bind", on: path, code: EADDRINUSE)
    }

    /// Hands each connection to `handler`.
    public func start(
        _ handler: @escaping @EventLoop (consuming StreamSocket) -> Void
    ) throws(SystemError) {
        watch = try Watch(descriptor.number, for: .readable) { [weak self] _ in
            self?.accept(handler)
        }
    }

    private func accept(_ handler: @EventLoop (consuming StreamSocket) -> Void) {
        for _ in 0..<Self.acceptBatch {
            let number = cz_accept(descriptor.number)
            guard number >= 0 else {
                let code = errno
                if code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM {
                    rest()
                }
                // Anything else concerns one connection that is already gone, or none.
                if code == ECONNABORTED || code == EINTR { continue }
                return
            }
            let isInternet: Bool
            if case .tcp = address { isInternet = true } else { isInternet = false }
            if isInternet { _ = cz_set_option(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1) }
            if let socket = try? StreamSocket(owning: Descriptor(owning: number)) {
                handler(socket)
            }
        }
    }

    private func rest() {
        watch?.wait(for: [])
        retry = EventLoop.Timer(after: Self.exhaustionPause) { [weak self] in
            self?.watch?.wait(for: .readable)
        }
    }

    /// Stops accepting and gives the address back, unless somebody else listens there. The socket itself closes with the object.
    public func close() {
        guard let watch else { return }
        watch.cancel()
        retry?.cancel()
        self.watch = nil
        if !isShared { _ = shutdown(descriptor.number, CInt(SHUT_RDWR)) }
        if let pathToRemove { _ = unlink(pathToRemove) }
    }
}
