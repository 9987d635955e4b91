import FoundationEssentials
import Glibc
import ImageStream
import OCI
import Registry
import RuntimeAPI
import SystemIO

/// cz-runtime does not answer.
struct ConnectionFailure: Error, CustomStringConvertible { var description: String }

/// One image, from where to where.
struct PullPlan: Sendable {
    enum Destination: Sendable {
        case file(String)
        case standardOutput
        case runtime(socket: String)
    }

    var source: RegistryReference
    var name: ImageReference
    var platform: Platform
    var client: RegistryClient.Configuration
    var destination: Destination
    var format: PullCommand.ArchiveFormat

    @EventLoop
    func carryOut(_ reporter: PullReporter) async throws {
        let work = Task { @EventLoop in try await fetch(reporter) }
        let signals = try Signals([SIGINT, SIGTERM]) { _ in work.cancel() }
        defer { signals.cancel() }
        do {
            reporter.finish(name, try await work.value)
        } catch {
            let error =
                error is CancellationError ? RegistryError.invalid("it was interrupted") : error
            reporter.fail(error)
            throw error
        }
    }

    @EventLoop
    private func fetch(_ reporter: PullReporter) async throws -> Digest {
        switch destination {
        case .standardOutput:
            let output = SystemIO.Descriptor(owning: try check("dup") { dup(STDOUT_FILENO) })
            return try await pass(to: output, reporter)
        case .file(let path): return try await write(path, reporter)
        case .runtime(let socket): return try await load(socket, reporter)
        }
    }

    /// The file appears when it is whole.
    @EventLoop
    private func write(_ path: String, _ reporter: PullReporter) async throws -> Digest {
        let partial = "\(path).partial-\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
        let file = try SystemIO.Descriptor.open(partial, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        var isWhole = false
        defer { if !isWhole { unlink(partial) } }
        let digest = try await pass(to: file, reporter)
        try check("rename", on: path) { rename(partial, path) }
        isWhole = true
        return digest
    }

    @EventLoop
    private func load(_ socket: String, _ reporter: PullReporter) async throws -> Digest {
        let runtime = RuntimeClient(.unix(path: socket))
        let pipe = try SystemIO.Descriptor.pipe(capacity: 1 << 20)
        let (input, output) = (pipe.read.release(), pipe.write.release())
        let image = ImageName(
            repository: name.repository, tag: name.tag ?? ImageReference.defaultTag)
        let loading = Task { @EventLoop in
            do {
                return try await runtime.load(SystemIO.Descriptor(owning: input), as: image)
            } catch let error as RuntimeAPI.RuntimeError {
                throw error
            } catch {
                throw ConnectionFailure(description: "cz-runtime: \(error)")
            }
        }
        do {
            let digest = try await pass(to: SystemIO.Descriptor(owning: output), reporter)
            _ = try await loading.value
            return digest
        } catch ImageStreamError.output {
            // cz-runtime knows better why it stopped reading.
            _ = try await loading.value
            throw ConnectionFailure(description: "cz-runtime did not take the image")
        } catch {
            loading.cancel()
            _ = await loading.result
            throw error
        }
    }

    /// From the registry to a descriptor that blocks, verified and in the format asked for.
    @EventLoop
    private func pass(
        to output: consuming SystemIO.Descriptor, _ reporter: PullReporter
    ) async throws -> Digest {
        let chunks = ChunkHandoff()
        let number = output.release()
        let (format, name) = (format, name)
        let writing = Task {
            defer { chunks.readerIsDone() }
            try await withOwnThread(named: "image") {
                let output = SystemIO.Descriptor(owning: number)
                switch format {
                case .docker:
                    _ = try ImageStream.normalise(
                        from: chunks, to: output, as: name,
                        limits: ImageStreamLimits(maximumExpansion: .max))
                case .oci:
                    while case let bytes = try chunks.next(), !bytes.isEmpty {
                        do throws(SystemError) {
                            try output.writeAll(bytes)
                        } catch {
                            throw ImageStreamError.output(error)
                        }
                    }
                }
            }
        }
        do {
            let pull = try ImagePull(source, platform: platform, client)
            let digest = try await pull.run(as: name, events: { reporter.tell($0) }) {
                try Task.checkCancellation()
                await chunks.push(Data($0))
            }
            chunks.end()
            try await writing.value
            return digest
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
