import DevicePolicy
import HTTPClient
import OCI
import PrintableText
import RuntimeAPI
import SystemIO

extension DockerEngine {
    /// How long a plugin may take to serve its socket, in seconds.
    private static let startTimeout = 30

    public func plugins(named name: String?) async throws -> [Plugin] {
        try requirePlugins()
        let wanted = try name.flatMap { $0.isEmpty ? nil : try Self.pluginName($0) }
        return try await translating {
            try await api.list("/plugins", of: PluginDocument.self, into: [Plugin]()) {
                plugins, document in
                if wanted == nil || document.name == wanted { plugins.append(Plugin(document)) }
            }.sorted { $0.name < $1.name }
        }
    }

    public func startPlugin(
        _ name: String, from archive: consuming SystemIO.Descriptor?
    ) async throws -> String {
        try requirePlugins()
        try policies.policy.checkPlugins()
        let name = try Self.pluginName(name)
        let body: RequestStream?
        do throws(SystemError) {
            body = if let archive { try RequestStream(reading: archive) } else { nil }
        } catch {
            throw RuntimeError.invalidArgument(field: "archive", reason: error.reason)
        }
        return try await translating {
            let existing = try await findPlugin(name)
            guard let body else {
                guard let existing else { throw RuntimeError.pluginNotFound(name) }
                if existing.isEnabled { throw RuntimeError.pluginExists(name) }
                try await enable(name)
                return name
            }
            if existing != nil { throw RuntimeError.pluginExists(name) }
            do {
                try await api.call(
                    "POST", "/plugins/create", [("name", name)], body: .stream(body),
                    type: "application/x-tar", timeout: nil)
            } catch let failure as EngineAPI.Failure {
                // What else it refuses is in the archive, whose files the sender has checked.
                if EngineTexts.saysStorageIsFull(failure.message) { throw failure }
                throw failure.status == 409 || EngineTexts.saysPluginExists(failure.message)
                    ? RuntimeError.pluginExists(name)
                    : RuntimeError.invalidArgument(field: "config", reason: failure.message)
            }
            do {
                try Task.checkCancellation()
                try await enable(name)
            } catch {
                // Not in this task, which may be cancelled: it would keep the name for ever.
                await EventLoop.task { [self] in try? await delete(plugin: name, force: true) }
                    .value
                throw error
            }
            return name
        }
    }

    private func enable(_ name: String) async throws {
        do {
            try await api.call(
                "POST", "/plugins/\(percentEncoded(name))/enable",
                [("timeout", "\(Self.startTimeout)")],
                timeout: .seconds(Self.startTimeout) + EngineAPI.usualTimeout)
        } catch let failure as EngineAPI.Failure {
            throw RuntimeError.pluginFailed(name, reason: failure.message)
        }
    }

    public func stopPlugin(_ name: String) async throws {
        try requirePlugins()
        let name = try Self.pluginName(name)
        try await translating {
            guard let plugin = try await findPlugin(name) else {
                throw RuntimeError.pluginNotFound(name)
            }
            try requireOwn(plugin)
            guard plugin.isEnabled else { return }
            do {
                try await api.call("POST", "/plugins/\(percentEncoded(name))/disable")
            } catch let failure as EngineAPI.Failure {
                if failure.status == 404 { throw RuntimeError.pluginNotFound(name) }
                guard EngineTexts.saysPluginIsInUse(failure.message) else { throw failure }
                throw RuntimeError.pluginInUse(name, reason: failure.message)
            }
        }
    }

    public func removePlugin(_ name: String) async throws {
        try requirePlugins()
        let name = try Self.pluginName(name)
        try await translating {
            guard let plugin = try await findPlugin(name) else {
                throw RuntimeError.pluginNotFound(name)
            }
            try requireOwn(plugin)
            guard !plugin.isEnabled else {
                throw RuntimeError.pluginInUse(name, reason: "it has to be stopped first")
            }
            do {
                try await delete(plugin: name, force: false)
            } catch let failure as EngineAPI.Failure where failure.status == 404 {
                throw RuntimeError.pluginNotFound(name)
            }
        }
    }

    private func delete(plugin name: String, force: Bool) async throws {
        try await api.call(
            "DELETE", "/plugins/\(percentEncoded(name))", force ? [("force", "1")] : [])
    }

    private func findPlugin(_ name: String) async throws -> PluginDocument? {
        guard
            let found = try await api.find(
                "/plugins/\(percentEncoded(name))/json", as: PluginDocument.self),
            found.name == name
        else { return nil }
        return found
    }

    /// Those that were made from a tarball through this API say so.
    private func requireOwn(_ plugin: PluginDocument) throws(RuntimeError) {
        if Plugin(plugin).digest == nil {
            try policies.policy.checkForeign("plugin \(plugin.name)")
        }
    }

    private func requirePlugins() throws(RuntimeError) {
        guard dialect.hasPlugins else {
            throw .notSupported(
                reason:
                    "the device's container engine, \(dialect.title), has no plugins; Docker has")
        }
    }

    /// With the tag that the engine gives it.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func pluginName(_ text: String) throws(RuntimeError) -> String {
        guard let reference = try? ImageReference(parsing: text), reference.digest == nil,
            reference.tag == nil || reference.tag == ImageReference.defaultTag
        else {
            throw .invalidArgument(
                field: "instance_name",
                reason: "'\(excerpt(text))' cannot be a plugin's name: lower-case "
                    + "letters, digits, '.', '_' and '-', and no tag but latest")
        }
        return reference.tagged
    }
}
