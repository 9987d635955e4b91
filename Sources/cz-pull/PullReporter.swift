import Glibc
import ImageFetching
import ImageStream
import JSON
import OCI
import RuntimeAPI
import SystemIO
import Varlink

/// Tells people, or scripts, how a pull goes on.
@EventLoop
final class PullReporter {
    private let json: Bool
    private let toStandardError: Bool
    private let display: LayerDisplay?
    private var fetched: Int64 = 0
    private var received: [Digest: Int64] = [:]
    private var lastEvent = ContinuousClock.now - .seconds(1)

    private static let interval: Duration = .milliseconds(100)

    /// - Parameter toStandardError: because standard output is the tarball.
    init(json: Bool, toStandardError: Bool) {
        self.json = json
        self.toStandardError = toStandardError
        display = !json && isatty(STDERR_FILENO) == 1 ? LayerDisplay() : nil
    }

    func tell(_ event: ImagePull.Event) {
        switch event {
        case .resolved(let digest, let layers, let size):
            write([
                "event": .string("resolved"), "digest": .string("\(digest)"),
                "layers": .int(Int64(layers.count)), "size": .int(size),
            ])
        case .cached(let layer, let size):
            write([
                "event": .string("cached"), "layer": .string("\(layer)"), "size": .int(size),
            ])
            display?.finish(layer.short, size, "cached")
        case .progress(let layer, let count, let size):
            received[layer] = count
            tellProgress("\(layer)", layer.short, count, of: size)
        }
    }

    func tell(_ event: FileDownload.Event) {
        switch event {
        case .resolved(let size):
            write(["event": .string("resolved"), "size": size.map { .int($0) } ?? .null])
        case .progress(let count, let size):
            fetched = count
            tellProgress("", "file", count, of: size)
        }
    }

    private func tellProgress(_ layer: String, _ title: String, _ count: Int64, of size: Int64?) {
        let isOver = count == size
        guard isOver || .now - lastEvent >= Self.interval else { return }
        lastEvent = .now
        write([
            "event": .string("progress"), "layer": .string(layer), "received": .int(count),
            "size": size.map { .int($0) } ?? .null,
        ])
        if isOver {
            display?.finish(title, count, "done")
        } else {
            display?.show(title, count, of: size)
        }
    }

    func finish(_ image: PulledImage) {
        display?.clear()
        write([
            "event": .string("done"), "image": image.name.map { .string($0.tagged) } ?? .null,
            "digest": image.digest.map { .string("\($0)") } ?? .null,
            "fetched": .int(received.values.reduce(fetched, +)),
        ])
        if !json, !toStandardError, let name = image.name {
            try? StandardOutput.write("\(name.tagged)\n")
        }
    }

    /// Says why it failed, once.
    func fail(_ error: any Error) {
        display?.clear()
        let message =
            error is ConnectionError ? "cz-runtime is not available: \(error)" : "\(error)"
        var deniedHost: String?
        if case .addressDenied(let host, _)? = error as? FetchError { deniedHost = host }
        guard json else {
            let hint = deniedHost.map { "; --allow-local \($0) would allow it" } ?? ""
            return StandardError.write(line: "cz-pull: \(message)\(hint)")
        }
        let kind =
            switch error {
            case let error as FetchError: error.kind
            case ImageStreamError.tooLarge, ImageStreamError.windowTooLarge,
                ImageStreamError.decodersBusy:
                "tooLarge"
            case is ImageStreamError: "corrupt"
            case is ConnectionError: "unavailable"
            default: "failed"
            }
        var event: [String: JSONValue] = [
            "event": .string("error"), "kind": .string(kind), "message": .string(message),
        ]
        if let deniedHost { event["host"] = .string(deniedHost) }
        write(event)
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

extension Digest {
    /// As much of it as people read.
    fileprivate var short: String { String(hexadecimal.prefix(12)) }
}
