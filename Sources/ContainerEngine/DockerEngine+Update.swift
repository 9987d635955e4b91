import DevicePolicy
import RuntimeAPI
import SystemIO

/// Names of containers that are no instances: the new one before it takes over, the old one
/// after.
enum UpdateName {
    static let prefixes = ["containerz-update-", "containerz-aside-"]

    static func new(_ id: String) -> String { prefixes[0] + id.prefix(12) }
    static func aside(_ id: String) -> String { prefixes[1] + id.prefix(12) }

    static func isOne(_ name: String) -> Bool { prefixes.contains { name.hasPrefix($0) } }
}

extension DockerEngine {
    public func details(of container: String) async throws -> ContainerDetails? {
        try await translating {
            guard let document = try await findContainer(container) else { return nil }
            return Self.details(document, spec: try await ownSpec(of: document))
        }
    }

    private static func details(
        _ document: ContainerDocument, spec: ContainerSpec?
    ) -> ContainerDetails {
        let labels = document.config?.labels ?? [:]
        var details = ContainerDetails(
            id: document.id,
            name: InstanceName.withoutSlash(document.name),
            isUp: document.isUp, spec: spec)
        details.exitCode = document.state.exitCode ?? 0
        details.createdAt = document.created ?? ""
        details.startedAt = document.state.startedAt ?? ""
        details.restarts = document.restartCount ?? 0
        details.labels = labels
        details.address = address(document)
        details.health =
            switch document.state.health?.status ?? "" {
            case "starting": .starting
            case "healthy": .healthy
            case "unhealthy": .unhealthy
            default: .undefined
            }
        for mount in document.mounts ?? [] {
            if let name = mount.name, !name.isEmpty { details.volumes[mount.destination] = name }
        }
        return details
    }

    private static func address(_ document: ContainerDocument) -> String? {
        if document.hostConfig?.networkMode == "host" { return "127.0.0.1" }
        let settings = document.networkSettings
        let addresses = [settings?.address] + (settings?.networks ?? [:]).values.map(\.address)
        return addresses.compactMap { $0 }.first { !$0.isEmpty }
    }

    public func validate(_ spec: ContainerSpec, replacing old: ContainerDetails) async throws {
        try await translating {
            guard let image = spec.image else {
                throw RuntimeError.invalidArgument(field: "image", reason: "there is none")
            }
            _ = try CreateDocument(spec, image: image, imageName: image.description)
            try checkRequest(spec)
            let found = try await findImage(image)
            try await checkSurroundings(spec, replacing: old.id)
            _ = try await admit(spec, of: found, replacing: old, isTrial: true)
        }
    }

    public func create(
        _ spec: ContainerSpec, replacing old: ContainerDetails
    ) async throws -> String {
        try await translating {
            guard let image = spec.image else {
                throw RuntimeError.invalidArgument(field: "image", reason: "there is none")
            }
            let found = try await findImage(image)
            return try await admission.take {
                // Once more, since the tag may have moved.
                let admitted = try await admit(spec, of: found, replacing: old)
                var document = try document(for: admitted, named: old.name)
                document.labels[EngineLabel.replaces] = old.id
                document.hostConfig.mounts =
                    (document.hostConfig.mounts ?? [])
                    + Self.inheritedMounts(spec, old).map {
                        .init(type: "volume", source: $0.name, target: $0.target, readOnly: false)
                    }
                return try await create(document, admitted, UpdateName.new(old.id))
            }
        }
    }

    /// Anonymous volumes of the old container, which belong to the instance.
    static func inheritedMounts(
        _ spec: ContainerSpec, _ old: ContainerDetails
    ) -> [(target: String, name: String)] {
        // As the engines write them: without what does not change where a path leads.
        let named = Set(
            (spec.volumes + (old.spec?.volumes ?? [])).map {
                HostPath($0.mountPoint)?.description ?? $0.mountPoint
            })
        return old.volumes.sorted { $0.key < $1.key }.filter { !named.contains($0.key) }
            .map { (target: $0.key, name: $0.value) }
    }

    public func replacements(of id: String) async throws -> [String] {
        try await translating {
            let labelled = try await containerSummaries(all: true)
                .filter { $0.labels?[EngineLabel.replaces] == id }
            guard !labelled.isEmpty else { return [] }
            let images = try await imageLabels()
            return labelled.filter { Self.ownSpec(of: $0, images) != nil }.map(\.id)
        }
    }

    public func asideName(of id: String) -> String { UpdateName.aside(id) }

    public func rename(_ id: String, to name: String) async throws {
        try await translating {
            if try await findContainer(id)?.name.hasSuffix("/\(name)") ?? false { return }
            try await api.call("POST", "/containers/\(id)/rename", [("name", name)])
        }
    }

    public func setRestart(
        _ id: String, _ policy: ContainerSpec.RestartPolicy
    ) async throws {
        guard dialect.canChangeRestartPolicy else { return }
        struct Change: Encodable {
            var restartPolicy: RestartPolicyDocument

            private enum CodingKeys: String, CodingKey { case restartPolicy = "RestartPolicy" }
        }
        try await translating {
            let document = try CreateDocument.restartPolicy(policy)
            let _: ExistingThing = try await api.post(
                "/containers/\(id)/update", json: Change(restartPolicy: document))
        }
    }

    public func stop(_ id: String) async throws {
        try await translating {
            guard let container = try await findContainer(id), container.isUp else { return }
            try await stop(container, named: id, force: false)
        }
    }

    public func start(
        _ id: String, _ spec: ContainerSpec?, named name: String
    ) async throws {
        try await translating {
            do {
                try await startChecked(id, named: name)
            } catch let failure as EngineAPI.Failure {
                throw EngineTexts.startFailure(
                    failure.message, of: spec ?? ContainerSpec(name: name), named: name)
            }
        }
    }

    public func discard(_ id: String, keepingVolumes: Bool) async throws {
        try await translating {
            do {
                // One that is gone already is as good.
                _ = try await delete(id, keepingVolumes: keepingVolumes)
            } catch let failure as EngineAPI.Failure
                where failure.status == 409 && EngineTexts.saysRemovalIsUnderWay(failure.message)
            {
                // Somebody who is gone has asked for it before.
                try await awaitRemoval(of: id)
            }
        }
    }

    private func awaitRemoval(of id: String) async throws {
        do {
            try await api.call(
                "POST", "/containers/\(id)/wait", [("condition", "removed")],
                timeout: Self.stopTimeout)
        } catch let failure as EngineAPI.Failure where failure.status == 404 {
            // It is gone.
        }
    }

    /// Removes a container, running or not, and the volumes that are only its own.
    ///
    /// - Returns: false when there is none.
    func delete(_ id: String, keepingVolumes: Bool = false) async throws -> Bool {
        do {
            try await api.call(
                "DELETE", "/containers/\(id)",
                [("force", "1"), ("v", keepingVolumes ? "0" : "1")], timeout: Self.stopTimeout)
            return true
        } catch let failure as EngineAPI.Failure where failure.status == 404 {
            return false
        }
    }

    public func exitCode(of id: String, since time: String) async throws -> Int? {
        try await translating { try await firstExitCode(of: id, since: time) }
    }

    private static let quotedLines = "5"
    private static let quotedBytes = 1024

    public func lastLines(of id: String) async throws -> String {
        try await translating {
            guard let container = try await findContainer(id) else { return "" }
            var demultiplexer = LogDemultiplexer(
                container.config?.tty ?? false ? .raw : .frames)
            var lines: [UInt8] = []
            let log = try await api.call(
                "GET", "/containers/\(container.id)/logs",
                [("stdout", "1"), ("stderr", "1"), ("tail", Self.quotedLines)])
            try demultiplexer.feed(log, into: &lines)
            return String(decoding: lines.suffix(Self.quotedBytes), as: UTF8.self)
        }
    }

    public func waitForChange(of id: String, atMost duration: Duration) async throws {
        try await translating {
            _ = try await nextEvent(try await events(of: id), before: .now + duration)
        }
    }
}
