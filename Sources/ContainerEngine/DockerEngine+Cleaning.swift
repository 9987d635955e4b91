import OCI
import RuntimeAPI
import SystemIO

extension DockerEngine {
    public func surveyUse() async throws -> Runtime.SurveyUse.Reply {
        try await translating {
            let images = try await summaries()
            let volumes = try await listVolumes(into: []) { $0.append($1) }
            struct Listed: Sendable {
                var containers: [MountingContainer] = []
                var own: Set<String> = []
            }
            let labels = Self.labels(of: images)
            let listed = try await listContainers(
                all: true, of: MountingContainer.self, into: Listed()
            ) { listed, container in
                listed.containers.append(container)
                if Self.ownSpec(of: container.summary, labels) != nil {
                    listed.own.insert(container.summary.id)
                }
            }
            let containers = listed.containers
            var names = KnownImageNames()
            var uses: [ContainerUse] = []
            for summary in containers.map(\.summary) {
                let container = Self.container(summary, &names)
                let isOwn = listed.own.contains(summary.id)
                if let use = try await use(of: summary, container, isOwn) { uses.append(use) }
            }
            let dialect = self.dialect
            return try await LongComputation.run { [uses] in
                Self.survey(uses, images, volumes, containers, dialect)
            }
        }
    }

    /// Puts together what was listed. Many containers may be of few images and volumes.
    private nonisolated static func survey(
        _ uses: [ContainerUse], _ images: [ImageSummary], _ volumes: [VolumeDocument],
        _ containers: [MountingContainer], _ dialect: EngineDialect
    ) -> Runtime.SurveyUse.Reply {
        var ofImages: [String: String] = [:]
        var ofVolumes: [String: String] = [:]
        for container in containers {
            let name = name(container.summary)
            if let id = container.summary.imageID.map(ImageID.full), ofImages[id] == nil {
                ofImages[id] = name
            }
            for volume in (container.mounts ?? []).compactMap(\.name)
            where ofVolumes[volume] == nil { ofVolumes[volume] = name }
        }
        return .init(
            containers: uses,
            images: images.map {
                use(of: $0, by: ofImages[ImageID.full($0.id)], dialect)
            },
            volumes: volumes.map { use(of: $0, by: ofVolumes[$0.name]) })
    }

    /// - Returns: nil for a container that went away meanwhile.
    private func use(
        of summary: ContainerSummary, _ container: Container, _ isOwn: Bool
    ) async throws -> ContainerUse? {
        var use = ContainerUse(
            id: container.id, name: container.name, image: container.image,
            imageID: container.imageID, state: container.state, labels: container.labels,
            created: container.created,
            managed: isOwn,
            held: UpdateName.isOne(container.name) ? "an update set it aside" : nil)
        // The list does not tell the rest, which is of interest for those that have ended alone.
        guard !Self.isUp(summary) else { return use }
        guard let document = try await findContainer(summary.id) else { return nil }
        use.finished = Self.finished(document)
        use.restarts = Self.mayRestart(document)
        return use
    }

    /// When it ended, in seconds since 1970; nil when it never ran. (Engines then say the year 1.)
    static func finished(_ document: ContainerDocument) -> Int64? {
        guard let seconds = document.state.finishedAt.flatMap(unixTime)?.seconds, seconds > 0
        else { return nil }
        return seconds
    }

    /// Whether the engine, at its next start at the latest, may start it again by itself.
    static func mayRestart(_ document: ContainerDocument) -> Bool {
        guard let policy = document.hostConfig?.restartPolicy else { return false }
        switch policy.name {
        case "", "no": return false
        case "on-failure":
            let attempts = policy.maximumRetryCount ?? 0
            let isSpent = attempts > 0 && (document.restartCount ?? 0) >= attempts
            return document.state.exitCode ?? 0 != 0 && !isSpent
        default: return true
        }
    }

    private nonisolated static func use(
        of summary: ImageSummary, by container: String?, _ dialect: EngineDialect
    ) -> ImageUse {
        let image = image(summary)
        return ImageUse(
            id: image.id, names: image.names, digests: image.digests,
            labels: summary.labels ?? [:], size: image.size, created: image.created,
            fetched: dialect.digestsTellOfFetching && !image.digests.isEmpty, managed: false,
            container: container)
    }

    /// The label that Docker gives to those since 23.
    private nonisolated static let anonymousLabel = "com.docker.volume.anonymous"

    private nonisolated static func use(
        of document: VolumeDocument, by container: String?
    ) -> VolumeUse {
        let volume = Volume(document)
        var labels = volume.labels
        labels[anonymousLabel] = nil
        return VolumeUse(
            name: volume.name, labels: labels, created: volume.created,
            anonymous: isAnonymous(document), managed: document.isOwn,
            container: container)
    }

    /// Engines make up names of 64 hexadecimal digits; who asks us for a volume without a name
    /// wants one all the same.
    nonisolated static func isAnonymous(_ volume: VolumeDocument) -> Bool {
        volume.name.utf8.count == 64 && volume.name.allSatisfy(\.isHexDigit) && !volume.isOwn
            && volume.driver ?? VolumeSpec.localDriver == VolumeSpec.localDriver
            && (volume.options ?? [:]).isEmpty
    }

    // MARK: Removal

    public func removeUnused(
        _ wanted: Runtime.RemoveUnusedContainer.Parameters,
        claim: @EventLoop (String) throws -> Void
    ) async throws -> Bool {
        try await translating {
            guard let container = try await findContainer(wanted.id) else { return false }
            let name = InstanceName.withoutSlash(container.name)
            try await requireOwn(container, named: name)
            guard !UpdateName.isOne(name) else {
                throw RuntimeError.stillNeeded(name, reason: "an update set it aside")
            }
            guard !container.isUp, Self.finished(container) == wanted.finished else {
                throw RuntimeError.stillNeeded(name, reason: "it was started meanwhile")
            }
            try claim(name)
            do {
                // Without force, in case that somebody starts it behind our back.
                try await api.call(
                    "DELETE", "/containers/\(container.id)", [("v", "0")],
                    timeout: Self.stopTimeout)
                return true
            } catch let failure as EngineAPI.Failure {
                guard let now = try await findContainer(container.id) else { return true }
                guard now.isUp else { throw failure }
                throw RuntimeError.stillNeeded(name, reason: "it was started meanwhile")
            }
        }
    }

    public func removeUnused(
        _ wanted: Runtime.RemoveUnusedImage.Parameters, claim: @EventLoop (String) throws -> Void
    ) async throws -> Bool {
        try await translating {
            guard
                let summary = try await summaries().first(where: {
                    ImageID.areSame($0.id, wanted.id)
                })
            else { return false }
            let image = Self.image(summary)
            let name = image.names.first?.description ?? image.id
            guard Set(image.names) == Set(wanted.names) else {
                throw RuntimeError.stillNeeded(name, reason: "it has other names now")
            }
            let containers = try await containerSummaries(all: true)
            if let user = containers.first(where: { $0.isMade(of: image.id) }) {
                throw RuntimeError.stillNeeded(
                    name, reason: "container \(Self.name(user)) is made of it")
            }
            try claim(image.id)
            do {
                // A removal by the id takes one name along at most, and no image that got a name
                // behind our back.
                let tags = (summary.repoTags ?? []).filter { !$0.contains("<none>") }
                for tag in tags.dropLast() {
                    try await api.call("DELETE", "/images/\(percentEncoded(tag))")
                }
                try await api.call("DELETE", "/images/\(percentEncoded(image.id))")
                return true
            } catch let failure as EngineAPI.Failure where failure.status == 404 {
                return false
            } catch let failure as EngineAPI.Failure where failure.status == 409 {
                throw RuntimeError.stillNeeded(name, reason: failure.message)
            }
        }
    }

    public func removeUnused(
        volume name: String, claim: @EventLoop (Bool) throws -> Void
    ) async throws -> Bool {
        try await translating {
            guard let volume = try await findVolume(name) else { return false }
            let containers = try await containerSummaries(all: true, as: MountingContainer.self)
            let use = Self.use(
                of: volume,
                by: containers.first { $0.mounts(volume: name) }.map { Self.name($0.summary) })
            guard use.anonymous, use.labels.isEmpty else {
                throw RuntimeError.stillNeeded(name, reason: "somebody named or labelled it")
            }
            if let container = use.container {
                throw RuntimeError.stillNeeded(name, reason: "container \(container) mounts it")
            }
            try claim(volume.isOwn)
            do {
                try await api.call("DELETE", "/volumes/\(percentEncoded(name))")
                return true
            } catch let failure as EngineAPI.Failure where failure.status == 404 {
                return false
            } catch let failure as EngineAPI.Failure where failure.status == 409 {
                throw RuntimeError.stillNeeded(name, reason: failure.message)
            }
        }
    }

    // MARK: Who uses what

    public func imageID(ofContainer name: String) async throws -> String? {
        try await translating {
            try await findContainer(name)?.image.flatMap(Self.digest).map(\.description)
        }
    }

    public func imageIDs(of names: [ImageName]) async throws -> Set<String> {
        try await translating {
            let images = try await summaries().map(Self.image)
            return Set(
                images.filter { image in names.contains { image.names.contains($0) } }.map(\.id))
        }
    }
}
