import FoundationEssentials
import Glibc
import RuntimeAPI

extension DockerEngine {
    public func volumes(_ filters: Runtime.Filters) async throws -> [Volume] {
        try Filters.check(filters, allowed: Filters.volumeKeys)
        return try await translating {
            let listed: VolumeList = try await api.get("/volumes")
            return (listed.volumes ?? []).map(Volume.init(_:))
                .filter { Filters.matches(filters, $0) }
                .sorted { $0.name < $1.name }
        }
    }

    public func create(_ spec: VolumeSpec) async throws -> String {
        try LocalVolume.check(spec)
        return try await translating {
            // The engines answer an existing name with the volume that has it, whatever it is.
            if !spec.name.isEmpty, try await findVolume(spec.name) != nil {
                throw RuntimeError.volumeExists(spec.name)
            }
            do {
                return try await api.post(
                    "/volumes/create", json: VolumeRequest(spec), as: VolumeDocument.self
                ).name
            } catch let failure as EngineAPI.Failure {
                throw Self.creationError(failure, of: spec)
            }
        }
    }

    public func remove(volume name: String, force: Bool) async throws {
        try await translating {
            guard try await findVolume(name) != nil else {
                throw RuntimeError.volumeNotFound(InstanceName.printable(name))
            }
            // Podman's force would take the containers along.
            let users = try await containerSummaries(all: true).filter { container in
                (container.mounts ?? []).contains { $0.name == name }
            }
            if let user = users.first {
                throw RuntimeError.volumeInUse(name, container: Self.name(user))
            }
            do {
                try await api.call(
                    "DELETE", "/volumes/\(percentEncoded(name))",
                    force && dialect == .docker ? [("force", "1")] : [])
            } catch let failure as EngineAPI.Failure where failure.status == 404 {
                throw RuntimeError.volumeNotFound(name)
            } catch let failure as EngineAPI.Failure where failure.status == 409 {
                throw RuntimeError.volumeInUse(name, container: "unknown")
            }
        }
    }

    func findVolume(_ name: String) async throws -> VolumeDocument? {
        guard InstanceName.isValid(name) else { return nil }
        // Podman also takes the beginning of a name.
        let path = "/volumes/\(percentEncoded(name))"
        guard let found = try await api.find(path, as: VolumeDocument.self), found.name == name
        else { return nil }
        return found
    }

    private static func creationError(
        _ failure: EngineAPI.Failure, of spec: VolumeSpec
    ) -> any Error {
        if spec.driver != VolumeSpec.localDriver,
            failure.status == 404 || EngineTexts.saysDriverIsUnknown(failure.message)
        {
            return RuntimeError.driverNotFound(InstanceName.printable(spec.driver))
        }
        if failure.status == 400 {
            return RuntimeError.invalidArgument(field: "options", reason: failure.message)
        }
        return failure
    }
}

/// What can be said of a volume to be before the engine is asked: engines take nearly anything,
/// and fail when a container is to mount it.
enum LocalVolume {
    private static let mountOptions: Set = ["type", "o", "device"]

    /// - Throws: `RuntimeError.invalidArgument`, or `.pathNotFound` for a directory to bind.
    static func check(_ spec: VolumeSpec) throws(RuntimeError) {
        guard spec.name.isEmpty || InstanceName.isValid(spec.name) else {
            throw .invalidArgument(
                field: "name",
                reason: "'\(InstanceName.printable(spec.name))' cannot be a volume's name")
        }
        if spec.labels.keys.contains("") {
            throw .invalidArgument(field: "labels", reason: "a label has no name")
        }
        guard spec.driver == VolumeSpec.localDriver, !spec.options.isEmpty else { return }
        for key in spec.options.keys.sorted() where !mountOptions.contains(key) {
            throw .invalidArgument(
                field: "options",
                reason: "'\(InstanceName.printable(key))' is none of type, o and device")
        }
        let device = spec.options["device"] ?? ""
        guard !device.isEmpty else {
            throw .invalidArgument(field: "options", reason: "there is no device to mount")
        }
        guard binds(spec) else {
            guard spec.options["type"] != "none" else {
                throw .invalidArgument(
                    field: "options", reason: "without 'bind' type none mounts nothing")
            }
            return
        }
        guard device.hasPrefix("/") else {
            throw .invalidArgument(
                field: "options",
                reason: "'\(InstanceName.printable(device))' is not an absolute path")
        }
        guard access(device, F_OK) == 0 else {
            throw .pathNotFound(InstanceName.printable(device))
        }
    }

    private static func binds(_ spec: VolumeSpec) -> Bool {
        (spec.options["o"] ?? "").split(separator: ",").contains { $0 == "bind" || $0 == "rbind" }
    }
}

extension Volume {
    init(_ document: VolumeDocument) {
        self.init(
            name: document.name, driver: document.driver ?? VolumeSpec.localDriver,
            options: document.options ?? [:], labels: document.labels ?? [:],
            created: document.created.flatMap(Self.seconds) ?? 0)
    }

    /// Of RFC 3339, with a fraction or without, in any zone.
    private static func seconds(_ text: String) -> Int64? {
        var text = text
        if let dot = text.firstIndex(of: ".") {
            let zone = text[text.index(after: dot)...].firstIndex { !$0.isNumber }
            text = String(text[..<dot]) + (zone.map { text[$0...] } ?? "Z")
        }
        guard let date = try? Date(text, strategy: .iso8601) else { return nil }
        return Int64(date.timeIntervalSince1970)
    }
}

struct VolumeList: Decodable {
    var volumes: [VolumeDocument]?

    private enum CodingKeys: String, CodingKey {
        case volumes = "Volumes"
    }
}

struct VolumeDocument: Decodable {
    var name: String
    var driver: String?
    var options: [String: String]?
    var labels: [String: String]?
    var created: String?

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case options = "Options"
        case labels = "Labels"
        case created = "CreatedAt"
    }
}

/// The body of `POST /volumes/create`.
struct VolumeRequest: Encodable {
    var name: String
    var driver: String
    var options: [String: String]
    var labels: [String: String]

    init(_ spec: VolumeSpec) {
        name = spec.name
        driver = spec.driver
        options = spec.options
        labels = spec.labels
    }

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case options = "DriverOpts"
        case labels = "Labels"
    }
}
