import RuntimeAPI

/// What engines say where no status code says it, for Docker 20.10 to 29 and Podman 4.3 to 5.
/// Nothing outside this file looks at a text of theirs.
enum EngineTexts {
    /// Podman answers 500.
    static func saysNameIsTaken(_ text: String) -> Bool {
        text.contains("is already in use by") || text.contains("that name is already in use")
    }

    static func saysPortIsTaken(_ text: String) -> Bool {
        text.contains("port is already allocated") || text.contains("address already in use")
            || text.contains("failed to bind host port")
    }

    /// Podman looks at processes that may end while it does, and lists containers and images one
    /// by one although they may come or go meanwhile: it takes that for damage.
    static func saysAskAgain(_ text: String) -> Bool {
        text.contains("no such process") || text.contains("image not known")
            || text.contains("no such container") || text.contains("layer not known")
            || text.contains("image to resolve the")
    }

    /// Podman answers 500.
    static func saysDriverIsUnknown(_ text: String) -> Bool {
        text.contains("required plugin missing") || text.contains("no volume plugin with name")
            || text.contains("error looking up volume plugin")
    }

    static func saysPluginExists(_ text: String) -> Bool {
        text.contains("already exists")
    }

    static func saysPluginIsInUse(_ text: String) -> Bool {
        text.contains("is in use")
    }

    /// Docker answers 409 to all that is in a container's way.
    static func saysRemovalIsUnderWay(_ text: String) -> Bool {
        text.contains("already in progress")
    }

    static func saysStorageIsFull(_ text: String) -> Bool {
        text.contains("no space left on device") || text.contains("disk quota exceeded")
    }

    /// A user or group that the image does not have: both engines use one library for it.
    static func saysUserIsUnknown(_ text: String) -> Bool {
        text.contains("unable to find user") || text.contains("unable to find group")
            || text.contains("no matching entries in passwd file")
            || text.contains("no matching entries in group file")
    }

    /// The names in `Loaded image: a:1`, `Loaded image ID: sha256:…` and Podman's
    /// `Loaded image(s): localhost/a:1,localhost/b:1`.
    static func loadedImages(_ line: String) -> [String] {
        guard line.hasPrefix("Loaded image"), let colon = line.firstRange(of: ": ") else {
            return []
        }
        return line[colon.upperBound...].split(whereSeparator: { $0 == "," || $0.isNewline })
            .map { part in
                var name = part
                while let first = name.first, first.isWhitespace { name.removeFirst() }
                while let last = name.last, last.isWhitespace { name.removeLast() }
                return String(name)
            }
    }

    /// Why a container was not created or did not start.
    static func startFailure(
        _ text: String, of spec: ContainerSpec, named name: String
    ) -> RuntimeError {
        if saysPortIsTaken(text), let port = portTaken(text, among: spec.ports) {
            return .portInUse(port)
        }
        if saysUserIsUnknown(text) {
            let user = spec.group.isEmpty ? spec.user : "\(spec.user):\(spec.group)"
            return .userRejected(user: user, reason: text)
        }
        if saysStorageIsFull(text) { return .insufficientStorage(reason: text) }
        return .startFailed(name: name, reason: text)
    }

    private static func portTaken(
        _ text: String, among ports: [ContainerSpec.PortMapping]
    ) -> UInt16? {
        let numbers = text.split(whereSeparator: { !$0.isNumber })
        return ports.first { port in numbers.contains { $0 == "\(port.external)" } }?.external
            ?? ports.first?.external
    }
}
