import Glibc
import HTTPClient
import SystemIO
import Testing

@EventLoop
@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTests {
    private func request(
        _ method: String, _ path: String, at server: ScriptedServer, body: HTTPBody? = nil,
        idleTimeout: Duration? = .seconds(20)
    ) -> HTTPRequest {
        HTTPRequest(
            method, "http://engine\(path)", unixSocket: server.path,
            headers: [("Content-Type", "application/x-tar")], body: body, idleTimeout: idleTimeout)
    }

    private static func pipeNumbers() throws -> (CInt, CInt) {
        let pipe = try Descriptor.pipe()
        return (
            try Descriptor.duplicate(of: pipe.read.number).release(),
            try Descriptor.duplicate(of: pipe.write.number).release()
        )
    }

    private nonisolated static func write(_ bytes: [UInt8], slowlyTo number: CInt) async throws {
        try await withOwnThread(named: "writer") {
            let output = Descriptor(owning: number)
            for start in stride(from: 0, to: bytes.count, by: 500_000) {
                try bytes[start..<start + 500_000].withUnsafeBytes { try output.writeAll($0) }
                usleep(5000)
            }
        }
    }

    private func failure(_ body: @EventLoop () async throws -> Void) async throws -> HTTPError {
        do {
            try await body()
        } catch let error as HTTPError {
            return error
        }
        Issue.record("nothing failed")
        return HTTPError(.invalid, "")
    }

    @Test func anAnswerWithStatusHeaderAndBody() async throws {
        let server = try await ScriptedServer { connection in
            let head = try await connection.readHead()
            #expect(head.hasPrefix("GET /a?b=c HTTP/1.1\r\n"))
            #expect(head.contains("\r\nContent-Type: application/x-tar"))
            try await connection.write(
                "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nApi-Version:  1.41 \r\n\r\nhello")
        }
        defer { server.close() }
        let response = try await HTTPClient().send(request("GET", "/a?b=c", at: server))
        #expect(response.status == 404)
        #expect(response.header("API-version") == "1.41")
        #expect(try await response.collect(upTo: 5) == Array("hello".utf8))
    }

    @Test func aConnectionServesTheNextRequest() async throws {
        let server = try await ScriptedServer { connection in
            while true {
                _ = try await connection.readHead()
                try await connection.write("HTTP/1.1 204 No Content\r\n\r\n")
            }
        }
        defer { server.close() }
        let client = try HTTPClient()
        for _ in 0..<10 {
            let response = try await client.send(request("POST", "/", at: server))
            #expect(response.status == 204)
            #expect(try await response.collect(upTo: 0) == [])
        }
        #expect(server.connections == 1)
    }

    @Test func requestsAtOnce() async throws {
        let server = try await ScriptedServer { connection in
            let head = try await connection.readHead()
            let path = head.split(separator: " ")[1]
            try await connection.write(
                "HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)")
        }
        defer { server.close() }
        let client = try HTTPClient()
        let tasks = (0..<20).map { index in
            Task {
                let response = try await client.send(request("GET", "/\(index)", at: server))
                let body = try await response.collect(upTo: 100)
                #expect(String(decoding: body, as: UTF8.self) == "/\(index)")
            }
        }
        for task in tasks { try await task.value }
    }

    @Test func bytesAsABody() async throws {
        let server = try await ScriptedServer { connection in
            let head = try await connection.readHead()
            #expect(head.contains("Content-Length: 3"))
            var body: [UInt8] = []
            while body.count < 3 { body += try await connection.readSome() }
            try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
            try await connection.write(body)
        }
        defer { server.close() }
        let response = try await HTTPClient().send(
            request("POST", "/", at: server, body: .bytes([1, 0, 2])))
        #expect(response.status == 200)
        #expect(try await response.collect(upTo: 10) == [1, 0, 2])
    }

    @Test func aStreamAsABodyWaitsForItsSource() async throws {
        let sent = [UInt8](repeating: 7, count: 3_000_000)
        let server = try await ScriptedServer { connection in
            let head = try await connection.readHead()
            #expect(head.contains("Transfer-Encoding: chunked"))
            var body: [UInt8] = []
            while !body.suffix(5).elementsEqual("0\r\n\r\n".utf8) {
                body += try await connection.readSome()
            }
            #expect(body.count { $0 == 7 } == 3_000_000)
            try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        defer { server.close() }
        let (input, output) = try Self.pipeNumbers()
        var progress: Int64 = 0
        let stream = try RequestStream(reading: Descriptor(owning: input)) { progress = $0 }
        async let writing: Void = Self.write(sent, slowlyTo: output)
        let response = try await HTTPClient().send(
            request("POST", "/", at: server, body: .stream(stream)))
        #expect(response.status == 200)
        #expect(progress == 3_000_000)
        try await writing
    }

    @Test func aSlowReaderStopsTheServer() async throws {
        var written = 0
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            for _ in 0..<500 {
                try await connection.write([UInt8](repeating: 1, count: 100_000))
                written += 100_000
            }
        }
        defer { server.close() }
        let response = try await HTTPClient().send(request("GET", "/", at: server))
        try await EventLoop.sleep(for: .milliseconds(300))
        #expect(written < 5_000_000)
        var count = 0
        while let bytes = try await response.next() { count += bytes.count }
        #expect(count == 50_000_000)
    }

    @Test func nobodyThere() async throws {
        let error = try await failure {
            _ = try await HTTPClient().send(
                HTTPRequest("GET", "http://engine/", unixSocket: "/nonexistent/x.sock"))
        }
        #expect(error.kind == .unreachable)
        #expect(error.reason.contains("/nonexistent/x.sock"))
    }

    @Test func anAnswerThatIsNone() async throws {
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("hello\r\n")
            connection.close()
        }
        defer { server.close() }
        let error = try await failure {
            _ = try await HTTPClient().send(request("GET", "/", at: server))
        }
        #expect(error.kind == .broken || error.kind == .invalid)
    }

    @Test func anAnswerThatBreaksOff() async throws {
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            connection.close()
        }
        defer { server.close() }
        let response = try await HTTPClient().send(request("GET", "/", at: server))
        let error = try await failure { _ = try await response.collect(upTo: 100) }
        #expect(error.kind == .broken)
    }

    @Test func anAnswerThatIsTooLong() async throws {
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890")
        }
        defer { server.close() }
        let response = try await HTTPClient().send(request("GET", "/", at: server))
        let error = try await failure { _ = try await response.collect(upTo: 9) }
        #expect(error.kind == .tooLarge)
    }

    @Test func headersWithoutEnd() async throws {
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("HTTP/1.1 200 OK\r\n")
            while true {
                try await connection.write("X-Y: \(String(repeating: "z", count: 900))\r\n")
            }
        }
        defer { server.close() }
        let error = try await failure {
            _ = try await HTTPClient().send(request("GET", "/", at: server))
        }
        #expect(error.kind == .broken)
    }

    @Test func silenceIsBounded() async throws {
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            _ = try await connection.readToEnd()
        }
        defer { server.close() }
        let error = try await failure {
            _ = try await HTTPClient().send(
                request("GET", "/", at: server, idleTimeout: .milliseconds(100)))
        }
        #expect(error.kind == .timedOut)
    }

    @Test func aCancelledRequestIsCutOff() async throws {
        let (arrived, cutOff) = (Waiter(), Waiter())
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            arrived.wake()
            _ = try await connection.readToEnd()
            cutOff.wake()
        }
        defer { server.close() }
        let client = try HTTPClient()
        let task = Task { _ = try await client.send(request("GET", "/", at: server)) }
        let watching = Task { try await cutOff.wait() }
        try await arrived.wait()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await watching.value
    }

    @Test func anAnswerThatIsLetGoIsCutOff() async throws {
        let cutOff = Waiter()
        let server = try await ScriptedServer { connection in
            _ = try await connection.readHead()
            try await connection.write("HTTP/1.1 200 OK\r\n\r\n123")
            _ = try await connection.readToEnd()
            cutOff.wake()
        }
        defer { server.close() }
        let client = try HTTPClient()
        let watching = Task { try await cutOff.wait() }
        _ = try await client.send(request("GET", "/", at: server))
        try await watching.value
    }
}
