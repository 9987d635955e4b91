import Glibc
import SystemIO

/// An HTTP server on a unix socket that hands each connection to a script.
@EventLoop
final class ScriptedServer {
    let path = "/tmp/containerz-http-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
    private var listener: Listener?
    private(set) var connections = 0

    typealias Script = @EventLoop (ScriptedConnection) async throws -> Void

    init(_ script: @escaping Script) async throws {
        let listener = try await Listener.bind(to: .unix(path: path))
        try listener.start { [weak self] socket in
            self?.connections += 1
            let connection = ScriptedConnection(socket)
            Task { try? await script(connection) }
        }
        self.listener = listener
    }

    func close() { listener?.close() }
}

/// One accepted connection: reads and writes with a deadline.
@EventLoop
final class ScriptedConnection {
    private var socket: StreamSocket?
    private var rest: [UInt8] = []

    init(_ socket: consuming StreamSocket) { self.socket = consume socket }

    func close() { socket = nil }

    /// Everything up to the peer's end.
    func readToEnd() async throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let bytes = try await readSome()
            if bytes.isEmpty { return all }
            all.append(contentsOf: bytes)
        }
    }

    /// A request's line and fields.
    func readHead() async throws -> String {
        while true {
            let text = String(decoding: rest, as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let head = String(text[..<end.lowerBound])
                rest.removeFirst(head.utf8.count + 4)
                return head
            }
            let bytes = try await receive()
            if bytes.isEmpty { throw SystemError("recv", code: ECONNRESET) }
            rest.append(contentsOf: bytes)
        }
    }

    func readSome() async throws -> [UInt8] {
        if rest.isEmpty { return try await receive() }
        defer { rest = [] }
        return rest
    }

    private func receive() async throws -> [UInt8] {
        guard let number = socket?.number else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(number, &buffer, buffer.count, 0)
            if count >= 0 { return Array(buffer[..<count]) }
            guard errno == EAGAIN else { throw SystemError("recv", code: errno) }
            try await Watch.once(number, for: .readable, timeout: .seconds(20))
        }
    }

    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) async throws {
        guard let number = socket?.number else { return }
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                send(number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count >= 0 {
                offset += count
            } else {
                guard errno == EAGAIN else { throw SystemError("send", code: errno) }
                try await Watch.once(number, for: .writable, timeout: .seconds(20))
            }
        }
    }
}
