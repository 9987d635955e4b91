import HTTPClient
import SystemIO

extension WebClient {
    /// Receives a body, and asks for what is missing where it breaks off, as long as that gets
    /// further.
    ///
    /// - Parameters:
    ///   - what: for messages.
    ///   - received: bytes there are already.
    ///   - open: asks for the body from a byte on; a server that knows no ranges begins anew.
    ///   - isComplete: whether that many bytes are all.
    ///   - output: takes the bytes in order, each once.
    /// - Throws: ``FetchError``, `CancellationError`, or what the closures throw.
    func receive(
        _ what: String, after received: Int64 = 0,
        open: @EventLoop (_ start: Int64) async throws -> HTTPResponse,
        isComplete: @EventLoop (_ received: Int64) -> Bool,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        var received = received
        var breaks = 0
        var pause = Self.firstPause
        while true {
            let start = received
            let response = try await open(start)
            var toSkip = response.status == 206 ? 0 : Int(start)
            do {
                while var bytes = try await response.next() {
                    if toSkip > 0 {
                        let skipped = min(toSkip, bytes.count)
                        toSkip -= skipped
                        bytes.removeFirst(skipped)
                    }
                    if bytes.isEmpty { continue }
                    received += Int64(bytes.count)
                    try await output(bytes)
                }
                if isComplete(received) { return }
                throw HTTPError(.broken, "it ended after \(received) bytes")
            } catch let error as HTTPError {
                let isFurther = received > start
                breaks = isFurther ? 1 : breaks + 1
                guard breaks < Self.attempts else {
                    throw FetchError.unavailable("\(what): \(error.reason)")
                }
                try await EventLoop.sleep(for: pause)
                pause = isFurther ? Self.firstPause : pause * 2
            } catch {
                response.cancel()
                throw error
            }
        }
    }
}
