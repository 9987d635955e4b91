import Glibc
import ImageStream
import JSON
import OCI
import Registry
import SystemIO

/// Tells people, or scripts, how a pull goes on.
@EventLoop
final class PullReporter {
    private let name: String
    private let json: Bool
    private let toStandardError: Bool
    private let isTerminal: Bool
    private var total: Int64 = 0
    private var done: [Digest: Int64] = [:]
    private var lastShown = ContinuousClock.now - .seconds(1)

    private static let interval: Duration = .milliseconds(100)

    /// - Parameter toStandardError: because standard output is the tarball.
    nonisolated init(_ name: String, json: Bool, toStandardError: Bool) {
        self.name = name
        self.json = json
        self.toStandardError = toStandardError
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    func tell(_ event: ImagePull.Event) {
        switch event {
        case .resolved(let digest, let layers, let size):
            total = size
            write([
                "event": .string("resolved"), "digest": .string("\(digest)"),
                "layers": .int(Int64(layers)), "size": .int(size),
            ])
        case .progress(let layer, let received, let size):
            done[layer] = received
            let isOver = received == size
            guard isOver || .now - lastShown >= Self.interval else { return }
            lastShown = .now
            write([
                "event": .string("progress"), "layer": .string("\(layer)"),
                "received": .int(received), "size": .int(size),
            ])
            show()
        }
    }

    func finish(_ image: ImageReference, _ digest: Digest) {
        clear()
        write([
            "event": .string("done"), "image": .string(image.tagged),
            "digest": .string("\(digest)"),
        ])
        if !json, !toStandardError {
            try? StandardOutput.write("\(image.tagged)\n")
        }
    }

    /// Says why it failed, once.
    func fail(_ error: any Error) {
        clear()
        guard json else { return StandardError.write(line: "cz-pull: \(error)") }
        let kind =
            switch error {
            case let error as RegistryError: error.kind
            case is ImageStreamError: "corrupt"
            case is ConnectionFailure: "unavailable"
            default: "failed"
            }
        write([
            "event": .string("error"), "kind": .string(kind), "message": .string("\(error)"),
        ])
    }

    private func clear() {
        if isTerminal, !json { put("\r\u{1B}[K") }
    }

    private func show() {
        guard isTerminal, !json, total > 0 else { return }
        let received = done.values.reduce(0, +)
        put("\r\u{1B}[K\(name): \(received >> 20) of \(total >> 20) MiB")
    }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func write(_ event: [String: JSONValue]) {
        guard json, let line = try? JSONValue.object(event).text else { return }
        if toStandardError {
            StandardError.write(line: line)
        } else {
            try? StandardOutput.write(line + "\n")
        }
    }
}
