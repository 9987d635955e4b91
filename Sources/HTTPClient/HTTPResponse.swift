import SystemIO

/// An answer whose body may still be on its way.
///
/// The peer is slowed down to the pace at which the body is read. One that is let go before its
/// end is cut off.
@EventLoop
public final class HTTPResponse {
    private let transfer: Transfer
    /// It drives the transfer to its end.
    private let client: HTTPClient

    public nonisolated let status: Int
    private nonisolated let headers: [String: String]

    init(_ transfer: Transfer, of client: HTTPClient, status: Int, headers: [String: String]) {
        self.transfer = transfer
        self.client = client
        self.status = status
        self.headers = headers
    }

    deinit {
        let transfer = self.transfer
        EventLoop.enqueue { transfer.cancel() }
    }

    /// A header field; of several with one name, the last.
    public nonisolated func header(_ name: String) -> String? {
        headers[name.lowercased()]
    }

    /// The body's size in bytes, where the server tells it.
    public var contentLength: Int64? { transfer.contentLength }

    /// The next bytes of the body; nil at its end.
    ///
    /// - Throws: ``HTTPError`` or `CancellationError`.
    public func next() async throws -> [UInt8]? {
        try await transfer.nextBytes()
    }

    /// The whole body.
    ///
    /// - Throws: ``HTTPError``, also when it has more than `limit` bytes, or `CancellationError`.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        var body: [UInt8] = []
        while let bytes = try await next() {
            guard body.count + bytes.count <= limit else {
                cancel()
                throw HTTPError(.tooLarge, "the answer has more than \(limit) bytes")
            }
            if body.isEmpty { body = bytes } else { body.append(contentsOf: bytes) }
        }
        return body
    }

    /// Gives up the rest.
    public func cancel() {
        transfer.cancel()
    }
}
