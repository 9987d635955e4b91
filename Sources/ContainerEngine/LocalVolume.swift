import PrintableText
import RuntimeAPI

/// What can be said of a volume to be before the engine is asked: engines take nearly anything,
/// and fail when a container is to mount it.
enum LocalVolume {
    private static let mountOptions: Set = ["type", "o", "device"]

    /// - Throws: `RuntimeError.invalidArgument`.
    static func check(_ spec: VolumeSpec) throws(RuntimeError) {
        guard spec.name.isEmpty || InstanceName.isValid(spec.name) else {
            throw .invalidArgument(
                field: "name",
                reason: "'\(excerpt(spec.name))' cannot be a volume's name")
        }
        if spec.labels.keys.contains("") {
            throw .invalidArgument(field: "labels", reason: "a label has no name")
        }
        try EngineLabel.check(spec.labels)
        guard spec.driver == VolumeSpec.localDriver, !spec.options.isEmpty else { return }
        for key in spec.options.keys.sorted() where !mountOptions.contains(key) {
            throw .invalidArgument(
                field: "options",
                reason: "'\(excerpt(key))' is none of type, o and device")
        }
        let device = spec.options["device"] ?? ""
        // mount(8), which Podman runs, would take a dash for an option.
        guard !device.isEmpty, !device.hasPrefix("-") else {
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
                reason: "'\(excerpt(device))' is not an absolute path")
        }
    }

    /// The directory that a volume is to bind; nil for other volumes.
    static func directory(_ spec: VolumeSpec) -> String? {
        spec.driver == VolumeSpec.localDriver && binds(spec) ? spec.options["device"] : nil
    }

    private static func binds(_ spec: VolumeSpec) -> Bool {
        (spec.options["o"] ?? "").split(separator: ",").contains { $0 == "bind" || $0 == "rbind" }
    }
}
