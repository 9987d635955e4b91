import DevicePolicy
import PrintableText
import RuntimeAPI
import SystemIO

extension DockerEngine {
    /// How long a container is given to end by itself. (docker stop's own default.)
    static let stopGrace = 10
    /// How long the engine may take to stop one after it should have been killed.
    static let stopTimeout: Duration = .seconds(40)

    public func containers(
        all: Bool, limit: Int, filters: Runtime.Filters
    ) async throws -> [Container] {
        struct Listed: Sendable {
            var containers: [Container] = []
            var names = KnownImageNames()
        }
        let compiled = try Filters(filters, allowed: Filters.containerKeys)
        return try await translating {
            // The newest first, as the engine lists them. A filter by status means those of that
            // status, whether `all` is set or not.
            try await listContainers(
                all: all || filters["status"] != nil, of: ContainerSummary.self, into: Listed()
            ) { listed, summary in
                guard limit <= 0 || listed.containers.count < limit else { return }
                let container = Self.container(summary, &listed.names)
                if !UpdateName.isOne(container.name), compiled.matches(container) {
                    listed.containers.append(container)
                }
            }.containers
        }
    }

    /// Reads the engine's containers one by one; what is made of them is made away from the loop
    /// where there are many.
    ///
    /// - Parameters:
    ///   - type: what to read of each.
    ///   - total: what they are added to.
    func listContainers<Summary: Decodable & SendableMetatype, Total: Sendable>(
        all: Bool, of type: Summary.Type, into total: Total,
        _ add: @escaping @Sendable (inout Total, Summary) throws -> Void
    ) async throws -> Total {
        try await api.list(
            "/containers/json", all ? [("all", "1")] : [], of: type, into: total, add)
    }

    /// - Parameter type: what to read of each.
    func containerSummaries<Summary: Decodable & Sendable>(
        all: Bool, as type: Summary.Type = ContainerSummary.self
    ) async throws -> [Summary] {
        try await listContainers(all: all, of: type, into: []) { $0.append($1) }
    }

    nonisolated static func name(_ summary: ContainerSummary) -> String {
        // Links give a container further names, with two slashes.
        InstanceName.withoutSlash(
            summary.names?.first { !$0.utf8.dropFirst().contains(UInt8(ascii: "/")) } ?? "")
    }

    nonisolated static func state(_ summary: ContainerSummary) -> Container.State {
        switch summary.state ?? "" {
        case "configured", "initialized": .created
        case "stopped", "stopping": .exited
        case let state: Container.State(rawValue: state) ?? .exited
        }
    }

    nonisolated static func isUp(_ summary: ContainerSummary) -> Bool {
        switch state(summary) {
        case .running, .paused, .restarting: true
        case .created, .removing, .exited, .dead: false
        }
    }

    /// - Parameter names: those of the list that the summary is of.
    nonisolated static func container(
        _ summary: ContainerSummary, _ names: inout KnownImageNames
    ) -> Container {
        Container(
            id: summary.id, name: name(summary), image: names.name(of: summary),
            imageID: summary.imageID.map(ImageID.full) ?? "", state: state(summary),
            labels: EngineLabel.visible(of: summary.labels ?? [:]), created: summary.created ?? 0,
            // By the label alone, whose content takes long to read: a forged label shows
            // readers the labels of a container of their own.
            managed: summary.labels?[EngineLabel.spec] != nil)
    }

    /// The container with exactly this name or id. (Engines also take the beginning of an id,
    /// which could be another container's name.)
    func findContainer(_ name: String) async throws -> ContainerDocument? {
        guard InstanceName.isValid(name) else { return nil }
        let path = "/containers/\(percentEncoded(name))/json"
        guard let found = try await api.find(path, as: ContainerDocument.self),
            found.name == name || found.name == "/\(name)" || found.id == name
        else { return nil }
        return found
    }

    /// - Throws: `RuntimeError.containerNotFound`.
    func container(_ name: String) async throws -> ContainerDocument {
        guard let found = try await findContainer(name) else {
            throw RuntimeError.containerNotFound(name: excerpt(name))
        }
        return found
    }

    // MARK: Stop

    public func stop(container name: String, force: Bool, restart: Bool) async throws {
        try await translating {
            let container = try await container(name)
            try await requireOwn(container, named: name)
            // Asked before it is stopped, which would be half of what was wanted.
            if restart { try await admitAgain(container, named: name) }
            if container.isUp { try await stop(container, named: name, force: force) }
            if restart { try await start(container.id, nil, named: name) }
        }
    }

    /// Asks it to end and kills it when it does not. The engine notes that this was wanted, so
    /// that no restart policy brings it back.
    func stop(
        _ container: ContainerDocument, named name: String, force: Bool
    ) async throws {
        do {
            if container.state.paused ?? false {
                try await api.call("POST", "/containers/\(container.id)/unpause")
            }
            try await api.call(
                "POST", "/containers/\(container.id)/stop",
                [("t", force ? "0" : "\(Self.stopGrace)")], timeout: Self.stopTimeout)
        } catch let failure as EngineAPI.Failure {
            // It may have ended, or gone, by itself in the meantime.
            guard let now = try await findContainer(container.id) else { return }
            if now.isUp { throw RuntimeError.stopFailed(name: name, reason: failure.message) }
        } catch RuntimeError.engineUnavailable(let reason) {
            // An engine that is there but does not get it done is the container's trouble.
            guard let now = try await findContainer(container.id), now.isUp else { return }
            throw RuntimeError.stopFailed(name: name, reason: reason)
        }
    }

    // MARK: Remove

    public func remove(container name: String, force: Bool) async throws {
        try await translating {
            let container = try await container(name)
            try await requireOwn(container, named: name)
            guard force || !container.isUp else {
                throw RuntimeError.containerRunning(name: name)
            }
            guard try await delete(container.id) else {
                throw RuntimeError.containerNotFound(name: name)
            }
        }
    }
}
