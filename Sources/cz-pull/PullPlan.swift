import FoundationEssentials
import Glibc
import ImageFetching
import ImageLoading
import ImageStream
import OCI
import RuntimeAPI
import ServerAddress
import SystemIO

/// One image, from where to where.
struct PullPlan: Sendable {
    enum Source: Sendable {
        case registry(RegistryReference, Platform, BlobCache?, RegistryConfiguration)
        case file(FileAddress, FileConfiguration)
    }

    enum Destination: Sendable {
        case file(String)
        case standardOutput
        case runtime(socket: String)
    }

    var source: Source
    /// nil for the archive's own, which only files have.
    var name: ImageReference?
    var destination: Destination
    var format: PullCommand.ArchiveFormat

    /// What the image is called; nil when only the file says.
    private var imageName: ImageReference? {
        get throws {
            if let name { return name }
            guard case .registry(let reference, _, _, _) = source else { return nil }
            return try reference.localName
        }
    }

    typealias Output = @EventLoop ([UInt8]) async throws -> Void

    @EventLoop
    func carryOut(_ reporter: PullReporter) async throws {
        let work = EventLoop.task { try await fetch(reporter) }
        let signals = try Signals([SIGINT, SIGTERM]) { _ in work.cancel() }
        defer { signals.cancel() }
        do {
            reporter.finish(try await work.value)
        } catch {
            let error =
                error is CancellationError ? FetchError.invalid("it was interrupted") : error
            reporter.fail(error)
            throw error
        }
    }

    @EventLoop
    private func fetch(_ reporter: PullReporter) async throws -> PulledImage {
        switch destination {
        case .standardOutput:
            let output = try SystemIO.Descriptor.duplicate(of: STDOUT_FILENO)
            return try await pass(to: output, reporter)
        case .file(let path): return try await write(path, reporter)
        case .runtime(let socket): return try await load(socket, reporter)
        }
    }

    /// Brings the archive's bytes, whatever it comes from.
    ///
    /// - Returns: the digest of the image's manifest, where it has one.
    @EventLoop
    private func bring(_ reporter: PullReporter, _ output: @escaping Output) async throws -> Digest?
    {
        switch source {
        case .registry(let reference, let platform, let cache, let configuration):
            let pull = try ImagePull(reference, platform: platform, cache: cache, configuration)
            return try await pull.run(
                as: name ?? reference.localName, events: { reporter.tell($0) }, output)
        case .file(let address, let configuration):
            let download = try FileDownload(address, configuration)
            try await download.run(events: { reporter.tell($0) }, output)
            return nil
        }
    }

    // MARK: Into the engine

    @EventLoop
    private func load(_ socket: String, _ reporter: PullReporter) async throws -> PulledImage {
        let work = LoadingWork()
        let load = try ImageLoad(
            RuntimeClient(.unix(path: socket)), as: name,
            limits: ImageStreamLimits(maximumExpansion: .max), fetched: true,
            interrupt: { EventLoop.enqueue { work.interrupt() } })
        do {
            let bringing = EventLoop.task {
                try await bring(reporter) { bytes in
                    try Task.checkCancellation()
                    await load.push(Data(bytes))
                }
            }
            work.task = bringing
            let digest = try await withTaskCancellationHandler {
                try await bringing.value
            } onCancel: {
                bringing.cancel()
            }
            let image = try await load.finish()
            return PulledImage(name: image.name, digest: digest)
        } catch {
            throw await load.abandon(error)
        }
    }

    /// What is given up when the engine does not take what it brings.
    @EventLoop
    private final class LoadingWork {
        var task: Task<Digest?, any Error>? {
            didSet { if isInterrupted { task?.cancel() } }
        }
        private var isInterrupted = false

        nonisolated init() {}

        func interrupt() {
            isInterrupted = true
            task?.cancel()
        }
    }

    // MARK: Into a file

    /// The file appears when it is whole. What is no file, such as a pipe with a name, is only
    /// written to.
    @EventLoop
    private func write(_ path: String, _ reporter: PullReporter) async throws -> PulledImage {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            return try await pass(to: try SystemIO.Descriptor.open(path, O_WRONLY), reporter)
        }
        let partial = "\(path).partial-\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
        let file = try SystemIO.Descriptor.open(partial, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        var isWhole = false
        defer { if !isWhole { unlink(partial) } }
        let image = try await pass(to: file, reporter)
        try check("rename", on: path) { rename(partial, path) }
        isWhole = true
        return image
    }

    /// To a descriptor that blocks, verified and in the format asked for.
    @EventLoop
    private func pass(
        to output: consuming SystemIO.Descriptor, _ reporter: PullReporter
    ) async throws -> PulledImage {
        let chunks = ChunkHandoff()
        let handoff = DescriptorHandoff(output)
        let (format, name, imageName) = (format, name, try imageName)
        let writing = EventLoop.task { () async throws -> ImageReference? in
            defer { chunks.readerIsDone() }
            return try await withOwnThread(named: "image") { () throws -> ImageReference? in
                let output = try handoff.take()
                switch format {
                case .docker:
                    return try ImageStream.normalise(
                        from: chunks, to: output, as: name,
                        limits: ImageStreamLimits(maximumExpansion: .max)
                    ).name
                case .oci, .asIs:
                    while case let bytes = try chunks.next(), !bytes.isEmpty {
                        do throws(SystemError) {
                            try output.writeAll(bytes)
                        } catch {
                            throw ImageStreamError.output(error)
                        }
                    }
                    return imageName
                }
            }
        }
        do {
            let digest = try await bring(reporter) {
                try Task.checkCancellation()
                await chunks.push(Data($0))
            }
            chunks.end()
            return PulledImage(name: try await writing.value, digest: digest)
        } catch {
            chunks.end(error)
            // Why the other side stopped comes first, unless it was this side's own reason.
            if case .failure(let failure) = await writing.result {
                if case .source? = failure as? ImageStreamError { throw error }
                throw failure
            }
            throw error
        }
    }
}

/// What came of it.
struct PulledImage: Sendable {
    /// nil when nobody looked into the file.
    var name: ImageReference?
    /// Of its manifest; nil for files.
    var digest: Digest?
}

extension RegistryReference {
    /// What the image is called on the device when nobody says otherwise.
    var localName: ImageReference {
        get throws(ImageReferenceError) { try ImageReference(repository: repository, tag: tag) }
    }
}
