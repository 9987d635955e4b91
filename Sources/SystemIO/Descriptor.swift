import CSystem
import Glibc

/// The one owner of a file descriptor: it is closed when this value goes away.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow the descriptor.
    public let number: CInt

    /// Takes over a descriptor that nobody else will close.
    public init(owning number: CInt) {
        self.number = number
    }

    deinit {
        _ = Glibc.close(number)
    }

    /// Gives the descriptor up: the caller closes it.
    public consuming func release() -> CInt {
        let number = self.number
        discard self
        return number
    }

    /// Closes now, rather than at the end of the scope.
    public consuming func close() {}

    /// Whether it is an ordinary file, rather than a pipe, a device or a folder.
    public borrowing func isFile() throws(SystemError) -> Bool {
        let number = self.number
        var status = stat()
        try check("fstat") { fstat(number, &status) }
        return status.st_mode & S_IFMT == S_IFREG
    }

    /// A second descriptor for an open file, such as standard output, that programs this process
    /// starts do not inherit.
    public static func duplicate(of number: CInt) throws(SystemError) -> Descriptor {
        Descriptor(owning: try check("fcntl") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
    }

    /// Makes reads and writes return EAGAIN instead of waiting.
    public borrowing func setNonBlocking() throws(SystemError) {
        let number = self.number
        let flags = try check("fcntl") { fcntl(number, F_GETFL) }
        try check("fcntl") { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
    }

    /// Opens a file; O_CLOEXEC is always set.
    public static func open(
        _ path: String, _ flags: CInt, mode: mode_t = 0o600
    ) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check("open", on: path) { cz_open(path, flags | O_CLOEXEC, mode) })
    }

    /// Makes a file without a name, gone once it is closed.
    public static func unnamedFile(in folder: String) throws(SystemError) -> Descriptor {
        Descriptor(owning: try check("open", on: folder) { cz_open_unnamed(folder) })
    }

    /// A pipe whose two ends close on exec.
    ///
    /// - Parameter capacity: bytes the kernel may hold; the request is dropped silently where
    ///   the limit for this user is lower, since a smaller pipe is only slower.
    public static func pipe(
        capacity: Int = 0
    ) throws(SystemError) -> Pipe {
        var ends: (CInt, CInt) = (-1, -1)
        try check("pipe") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: CInt.self, capacity: 2) { cz_pipe($0) }
            }
        }
        if capacity > 0 { _ = cz_set_pipe_size(ends.1, CInt(clamping: capacity)) }
        return Pipe(read: Descriptor(owning: ends.0), write: Descriptor(owning: ends.1))
    }

    /// Reads once into the buffer.
    ///
    /// - Returns: the bytes read, 0 at the end of the file, nil when there are none yet.
    public borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int? {
        let number = self.number
        return try checkUnlessBusy("read") {
            Glibc.read(number, buffer.baseAddress, buffer.count)
        }
    }

    /// Writes once from the buffer.
    ///
    /// - Returns: the bytes written, nil when there is no room yet.
    public borrowing func write(_ buffer: UnsafeRawBufferPointer) throws(SystemError) -> Int? {
        let number = self.number
        return try checkUnlessBusy("write") {
            Glibc.write(number, buffer.baseAddress, buffer.count)
        }
    }

    /// Writes everything, waiting as long as it takes; for blocking descriptors.
    public borrowing func writeAll(_ buffer: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = buffer
        while !rest.isEmpty {
            guard let count = try write(rest) else { throw SystemError("write", code: EAGAIN) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// The two ends of a pipe.
@frozen
public struct Pipe: ~Copyable, Sendable {
    public var read: Descriptor
    public var write: Descriptor

    public init(read: consuming Descriptor, write: consuming Descriptor) {
        self.read = read
        self.write = write
    }
}
