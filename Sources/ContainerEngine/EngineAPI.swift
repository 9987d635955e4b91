import FoundationEssentials
import HTTPClient
import RuntimeAPI
import ServerAddress
import Synchronization
import SystemIO

/// The HTTP API that Docker defined and Podman serves as well, on a unix socket.
@EventLoop
final class EngineAPI {
    let socket: String
    private let client: HTTPClient
    /// `/v1.41`, once the engine's version is known.
    var prefix = ""

    /// An answer that is neither a list nor a document is never this long.
    private static let largestAnswer = 64 << 20
    /// Answers up to this size are read on the loop, which takes a millisecond or two.
    private static let shortAnswer = 32 << 10
    /// Bytes that are read at a time away from the loop.
    private static let piece = 256 << 10
    /// Engines answer in milliseconds, and under load in seconds.
    static let usualTimeout: Duration = .seconds(60)

    init(socket: String) throws(RuntimeError) {
        self.socket = socket
        do throws(HTTPError) {
            client = try HTTPClient()
        } catch {
            throw .engineFailed(reason: error.reason)
        }
    }

    /// A status that is no success, with the engine's own words.
    struct Failure: Error {
        var status: Int
        var message: String

        /// For those who know nothing better to say.
        var asEngineFailed: RuntimeError { .engineFailed(reason: message) }
    }

    /// A document. Labels in it that are too large are left out; see `AnswerScanner`.
    func get<Answer: Decodable & Sendable>(
        _ path: String, _ query: [(String, String)] = [], as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let answer = try await read(.document, path, query, of: type, into: Answer?.none) {
            $0 = $1
        }
        guard let answer else {
            throw RuntimeError.engineFailed(reason: "its answer is not understood: \(path)")
        }
        return answer
    }

    /// A list, read element by element as it arrives, so that no size of it is too large. What is
    /// made of the elements is made away from the loop where there are many.
    ///
    /// - Parameters:
    ///   - key: the key of the list, where the answer is an object.
    ///   - total: what the elements are added to.
    func list<Element: Decodable & SendableMetatype, Total: Sendable>(
        _ path: String, _ query: [(String, String)] = [], under key: String? = nil,
        of type: Element.Type, into total: Total,
        _ add: @escaping @Sendable (inout Total, Element) throws -> Void
    ) async throws -> Total {
        try await read(key.map { .listUnder($0) } ?? .list, path, query, of: type, into: total, add)
    }

    private func read<Element: Decodable & SendableMetatype, Total: Sendable>(
        _ shape: AnswerScanner.Shape, _ path: String, _ query: [(String, String)],
        of type: Element.Type, into total: Total,
        _ add: @escaping @Sendable (inout Total, Element) throws -> Void
    ) async throws -> Total {
        for attempt in 1..<Self.attempts {
            do {
                return try await readOnce(shape, path, query, of: type, into: total, add)
            } catch let failure as Failure
                where failure.status >= 500 && EngineTexts.saysAskAgain(failure.message)
            {
                try await EventLoop.sleep(for: Self.pause * attempt)
            }
        }
        return try await readOnce(shape, path, query, of: type, into: total, add)
    }

    private func readOnce<Element: Decodable & SendableMetatype, Total: Sendable>(
        _ shape: AnswerScanner.Shape, _ path: String, _ query: [(String, String)],
        of type: Element.Type, into total: Total,
        _ add: @escaping @Sendable (inout Total, Element) throws -> Void
    ) async throws -> Total {
        let response = try await open("GET", path, query)
        let reading = AnswerReading(shape, total, add)
        var pending: [UInt8] = []
        var isLong = false
        func pass() async throws {
            let bytes = pending
            pending.removeAll(keepingCapacity: true)
            if isLong {
                try await LongComputation.run { try reading.feed(bytes) }
            } else {
                try reading.feed(bytes)
            }
        }
        do {
            while let bytes = try await response.next() {
                pending += bytes
                isLong = isLong || pending.count > Self.shortAnswer
                if pending.count >= Self.piece { try await pass() }
            }
        } catch let error as HTTPError {
            throw runtimeError(error)
        }
        try await pass()
        return try reading.end()
    }

    /// How often a question is asked that the engine could not answer just then, and how much
    /// longer is waited each time: about as long as Podman takes to remove an image.
    private static let attempts = 10
    private static let pause: Duration = .milliseconds(5)

    /// The document, or nil where the engine knows no such thing.
    func find<Answer: Decodable & Sendable>(
        _ path: String, _ query: [(String, String)] = [], as type: Answer.Type = Answer.self
    ) async throws -> Answer? {
        do {
            return try await get(path, query, as: type)
        } catch let failure as Failure where failure.status == 404 {
            return nil
        }
    }

    func post<Answer: Decodable>(
        _ path: String, _ query: [(String, String)] = [], json: some Encodable,
        as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let body: [UInt8]
        do {
            body = Array(try JSONEncoder().encode(json))
        } catch {
            throw RuntimeError.engineFailed(reason: "a request cannot be encoded: \(error)")
        }
        return try decode(
            try await call("POST", path, query, body: .bytes(body), type: "application/json"))
    }

    /// A document of the engine's own API.
    func document<Answer: Decodable>(
        _ path: String, prefix: String, as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        try decode(try await call("GET", path, prefix: prefix))
    }

    /// A request whose answer is short, with its body.
    ///
    /// - Parameter prefix: in place of ``prefix``, for what another API of the engine's has.
    /// - Throws: `Failure` for a status of 400 and more.
    @discardableResult
    func call(
        _ method: String, _ path: String, _ query: [(String, String)] = [], body: HTTPBody? = nil,
        type: String? = nil, timeout: Duration? = EngineAPI.usualTimeout, prefix: String? = nil
    ) async throws -> [UInt8] {
        let response = try await open(
            method, path, query, body: body, type: type, timeout: timeout, prefix: prefix)
        do {
            return try await response.collect(upTo: Self.largestAnswer)
        } catch let error as HTTPError {
            throw runtimeError(error)
        }
    }

    /// A request whose answer is read as it comes.
    ///
    /// - Throws: `Failure` for a status of 400 and more.
    func open(
        _ method: String, _ path: String, _ query: [(String, String)] = [], body: HTTPBody? = nil,
        type: String? = nil, timeout: Duration? = EngineAPI.usualTimeout, prefix: String? = nil
    ) async throws -> HTTPResponse {
        var url = "http://engine\(prefix ?? self.prefix)\(path)"
        for (index, (key, value)) in query.enumerated() {
            url += "\(index == 0 ? "?" : "&")\(key)=\(percentEncoded(value))"
        }
        let request = HTTPRequest(
            method, url, unixSocket: socket,
            headers: type.map { [("Content-Type", $0)] } ?? [], body: body, idleTimeout: timeout)
        do {
            let response = try await client.send(request)
            guard response.status >= 400 else { return response }
            let text = try await response.collect(upTo: Self.largestAnswer)
            throw Failure(status: response.status, message: Self.message(in: text))
        } catch let error as HTTPError {
            throw runtimeError(error)
        }
    }

    func runtimeError(_ error: HTTPError) -> RuntimeError {
        switch error.kind {
        case .unreachable, .addressDenied, .broken, .timedOut:
            .engineUnavailable(reason: error.reason)
        case .invalid, .notFound, .denied, .tooLarge, .bodyFailed, .untrusted:
            .engineFailed(reason: error.reason)
        }
    }

    private func decode<Answer: Decodable>(_ bytes: [UInt8]) throws -> Answer {
        do {
            return try bytes.withUnsafeBytes { bytes in
                // The longest lists are megabytes, and what is decoded keeps none of them.
                let data = bytes.baseAddress.map {
                    Data(
                        bytesNoCopy: UnsafeMutableRawPointer(mutating: $0), count: bytes.count,
                        deallocator: .none)
                }
                return try JSONDecoder().decode(Answer.self, from: data ?? Data())
            }
        } catch {
            throw RuntimeError.engineFailed(reason: "its answer is not understood: \(error)")
        }
    }

    private static func message(in body: [UInt8]) -> String {
        struct ErrorBody: Decodable { var message: String }
        if let error = try? JSONDecoder().decode(ErrorBody.self, from: Data(body)) {
            return error.message
        }
        let text = String(decoding: body.prefix(500), as: UTF8.self)
        return text.isEmpty ? "no reason given" : text
    }
}

/// A segment of a path or a value of a query.
func percentEncoded(_ text: String) -> String { WebAddress.percentEncoded(text) }

/// An answer that is being read, by one thread at a time.
private final class AnswerReading<Element: Decodable & SendableMetatype, Total: Sendable>: Sendable
{
    private struct State {
        var scanner: AnswerScanner
        var total: Total
    }

    private let state: Mutex<State>
    private let decoder = JSONDecoder()
    private let add: @Sendable (inout Total, Element) throws -> Void

    init(
        _ shape: AnswerScanner.Shape, _ total: Total,
        _ add: @escaping @Sendable (inout Total, Element) throws -> Void
    ) {
        state = Mutex(State(scanner: AnswerScanner(shape), total: total))
        self.add = add
    }

    /// - Throws: `RuntimeError.engineFailed` for what is not understood, and what `add` throws.
    func feed(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            do {
                var total = state.total
                defer { state.total = total }
                try state.scanner.feed(bytes) { element in
                    try add(&total, try decoder.decode(Element.self, from: Data(element)))
                }
            } catch let error as RuntimeError {
                throw error
            } catch {
                throw RuntimeError.engineFailed(reason: "its answer is not understood: \(error)")
            }
        }
    }

    /// - Throws: `RuntimeError.engineFailed` when the answer is not complete.
    func end() throws -> Total {
        try state.withLock { state in
            do {
                try state.scanner.end()
            } catch {
                throw RuntimeError.engineFailed(reason: "its answer is not understood: \(error)")
            }
            return state.total
        }
    }
}
