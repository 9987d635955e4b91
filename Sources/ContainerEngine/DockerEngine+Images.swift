import DevicePolicy
import FoundationEssentials
import HTTPClient
import OCI
import RuntimeAPI
import SystemIO

extension DockerEngine {
    public func images(_ filters: Runtime.Filters) async throws -> [Image] {
        let compiled = try Filters(filters, allowed: Filters.imageKeys)
        return try await translating {
            try await listImages(into: []) { images, summary in
                let image = Self.image(summary)
                if compiled.matches(image, labels: summary.labels ?? [:]) { images.append(image) }
            }
        }
    }

    /// Reads the engine's images one by one; what is made of them is made away from the loop where
    /// there are many.
    ///
    /// - Parameter total: what they are added to.
    func listImages<Total: Sendable>(
        into total: Total, _ add: @escaping @Sendable (inout Total, ImageSummary) throws -> Void
    ) async throws -> Total {
        try await api.list("/images/json", of: ImageSummary.self, into: total, add)
    }

    func summaries() async throws -> [ImageSummary] {
        try await listImages(into: []) { $0.append($1) }
    }

    nonisolated static func image(_ summary: ImageSummary) -> Image {
        // Two of the engine's names may be one to clients.
        var names: [ImageName] = []
        for name in (summary.repoTags ?? []).compactMap({ ImageName(engineName: $0) })
        where !names.contains(name) { names.append(name) }
        return Image(
            id: ImageID.full(summary.id),
            names: names, size: summary.size ?? 0, created: summary.created ?? 0,
            digests: (summary.repoDigests ?? []).filter { !$0.contains("<none>") })
    }

    /// An image as both sides name it.
    struct FoundImage: Sendable {
        /// Without the prefixes, as clients know it.
        var name: ImageName
        /// The engine's own name, exact.
        var engineName: String
        var id: String
        /// All of the engine's names for it.
        var tags: [String]
    }

    /// - Throws: `RuntimeError.imageNotFound`, `.invalidArgument`.
    func findImage(_ wanted: ImageName) async throws -> FoundImage {
        let name = try wanted.familiar()
        let dialect = self.dialect
        let found = try await listImages(into: FoundImage?.none) { found, summary in
            for tag in summary.repoTags ?? [] where ImageName(engineName: tag) == name {
                if let found, !dialect.prefers(tag, over: found.engineName) { continue }
                found = FoundImage(
                    name: name, engineName: tag, id: summary.id, tags: summary.repoTags ?? [])
            }
        }
        guard let found else { throw RuntimeError.imageNotFound(name) }
        return found
    }

    // MARK: Load

    public func load(
        _ archive: consuming SystemIO.Descriptor, as image: ImageName?,
        progress: @escaping @EventLoop (Int64) -> Void
    ) async throws -> [ImageName] {
        let wanted = try image?.familiar()
        if let wanted { try policies.policy.check(wanted, nil) }
        let body: RequestStream
        do throws(SystemError) {
            body = try RequestStream(reading: archive, onRead: progress)
        } catch {
            throw RuntimeError.invalidArgument(field: "archive", reason: error.reason)
        }
        let reply: [UInt8]
        do {
            // The pace is set by whoever sends the archive, and unpacking it may take long.
            reply = try await api.call(
                "POST", "/images/load", [("quiet", "1")], body: .stream(body),
                type: "application/x-tar", timeout: nil)
        } catch let failure as EngineAPI.Failure {
            throw Self.loadError(failure.message)
        }
        let loaded = try Self.loadedNames(in: reply)
        // Docker takes an archive without a manifest for a success in which nothing happened.
        guard !loaded.isEmpty else {
            throw RuntimeError.loadFailed(reason: "the archive holds no image")
        }
        let names = loaded.compactMap { ImageName(engineName: $0) }
        var refusal: (any Error)?
        for name in names {
            // Each of them loses its name when it is refused.
            do {
                try await admitLoaded(name)
            } catch {
                refusal = refusal ?? error
            }
        }
        if let refusal { throw refusal }
        if let wanted, names != [wanted] {
            throw RuntimeError.loadFailed(
                reason: "the archive holds \(loaded.joined(separator: ", ")), not \(wanted)")
        }
        return names
    }

    /// What an image is shows only now. An image that is not allowed loses its name again.
    private func admitLoaded(_ name: ImageName) async throws {
        try await translating {
            var engineName = "\(dialect.engineRepository(name.repository)):\(name.tag)"
            do {
                let found = try await findImage(name)
                engineName = found.engineName
                try policies.policy.check(name, Self.digest(found.id))
                if let document = try await image(found.id) {
                    try requireNoReservedLabels(document, name)
                }
            } catch {
                let path = "/images/\(percentEncoded(engineName))"
                await EventLoop.task { [self] in _ = try? await api.call("DELETE", path) }.value
                throw error
            }
        }
    }

    private static func loadError(_ message: String) -> RuntimeError {
        EngineTexts.saysStorageIsFull(message)
            ? .insufficientStorage(reason: message) : .loadFailed(reason: message)
    }

    /// Reads the reply to a load: documents one after another, which may tell of a failure
    /// although the status did not.
    ///
    /// - Throws: `RuntimeError.loadFailed` or `.insufficientStorage`.
    static func loadedNames(in reply: [UInt8]) throws(RuntimeError) -> [String] {
        struct Line: Decodable {
            struct Detail: Decodable { var message: String? }
            var stream: String?
            var error: String?
            var errorDetail: Detail?
        }
        var names: [String] = []
        for text in reply.split(separator: UInt8(ascii: "\n")) {
            // What is no JSON cannot tell of an image, and its absence is an error already.
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text)) else {
                continue
            }
            if let message = line.errorDetail?.message ?? line.error { throw loadError(message) }
            for line in (line.stream ?? "").split(whereSeparator: \.isNewline) {
                names += EngineTexts.loadedImages(String(line))
            }
        }
        return names
    }

    // MARK: Tag and remove

    public func tag(_ image: ImageName, as newName: ImageName) async throws {
        try await translating {
            let newName = try newName.familiar("as")
            let found = try await findImage(image)
            // Otherwise a second name would let an image run whose own does not.
            try policies.policy.check(found.name, Self.digest(found.id))
            try policies.policy.check(newName, Self.digest(found.id))
            try await api.call(
                "POST", "/images/\(percentEncoded(found.id))/tag",
                [
                    ("repo", dialect.engineRepository(newName.repository)),
                    ("tag", newName.tag),
                ])
        }
    }

    public func remove(_ image: ImageName, force: Bool) async throws {
        try await translating {
            let found = try await findImage(image)
            try requireOwn(found)
            // Without the image its containers would pass for ours.
            if let document = try await self.image(found.id),
                EngineLabel.reserved(in: document.config?.labels ?? [:]) != nil
            {
                try policies.policy.checkForeign("image \(found.name)")
            }
            var names = KnownImageNames()
            let users = try await containerSummaries(all: true).filter {
                // Those of another of its names keep the image, not this name.
                $0.isMade(of: found.id)
                    && (found.tags.count == 1 || names.name(of: $0) == found.name)
            }
            let running = users.first { Self.isUp($0) }
            if let user = running ?? (force ? nil : users.first) {
                throw RuntimeError.imageInUse(found.name, container: Self.name(user))
            }
            do {
                if !users.isEmpty, found.tags.count == 1, dialect.forcedImageRemovalTakesContainers
                {
                    try await untag(found)
                } else {
                    try await api.call(
                        "DELETE", "/images/\(percentEncoded(found.engineName))",
                        users.isEmpty ? [] : [("force", "1")])
                }
            } catch let failure as EngineAPI.Failure where failure.status == 404 {
                throw RuntimeError.imageNotFound(found.name)
            } catch let failure as EngineAPI.Failure where failure.status == 409 {
                throw RuntimeError.imageInUse(found.name, container: "that has just been made")
            }
        }
    }

    /// Takes the last name from an image of which stopped containers are made, which is all that
    /// Docker does in this case. Only Podman's own API can.
    private func untag(_ image: FoundImage) async throws {
        let reference = try? ImageReference(parsing: image.engineName)
        try await api.call(
            "POST", "/images/\(percentEncoded(image.engineName))/untag",
            [
                ("repo", reference?.repository ?? ""),
                ("tag", reference?.tag ?? ImageReference.defaultTag),
            ], prefix: EngineDialect.libpod)
    }
}
