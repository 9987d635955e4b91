import OCI
import RuntimeAPI

// Images, plugins, and what is not ours.

extension DevicePolicy {
    /// Checks an image by its name, and by its digest where that is known. Where it is not, an
    /// image that may turn out to have an allowed digest passes.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func check(_ name: ImageName, _ digest: Digest?) throws(RuntimeError) {
        if let entry = images.deny.first(where: { $0.matches(name, digest) }) {
            throw Self.denial(
                .images, "image \(name) is denied by '\(entry)'", remove: "\(entry)")
        }
        let isAllowed = images.allow.contains { entry in
            if case .digest = entry, digest == nil { return true }
            return entry.matches(name, digest)
        }
        guard isAllowed else {
            throw Self.refusal(.images, "image \(name) is not allowed", add: "\(name)")
        }
    }

    /// The rules that an image of this name has to satisfy, each with one of its keys.
    public func signatureRules(for name: ImageName, _ digest: Digest?) -> [SignatureRule] {
        signatures.filter { rule in rule.images.contains { $0.matches(name, digest) } }
    }

    /// The refusal of an image without a signature that it needs.
    public static func unsigned(_ name: ImageName, _ reason: String) -> RuntimeError {
        refusal(.signatures, "image \(name) needs a signature: \(reason)")
    }

    /// - Throws: `RuntimeError.notPermitted`.
    public func checkPlugins() throws(RuntimeError) {
        guard allowsPlugins else {
            throw Self.refusal(
                .plugins,
                "plugins are not allowed, since each gets every privilege that it asks for; to "
                    + "allow them, set plugins.allow to true")
        }
    }

    /// Checks something that is to be stopped, removed or changed, and was not made through
    /// containerz.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func checkForeign(_ what: String) throws(RuntimeError) {
        guard allowsForeign else {
            throw Self.refusal(
                .ownership,
                "\(what) was not made through containerz; to allow it, set foreign to true")
        }
    }
}
