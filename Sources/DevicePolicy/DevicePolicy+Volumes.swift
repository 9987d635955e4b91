import RuntimeAPI

extension DevicePolicy {
    /// Checks a volume to be.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func check(
        _ spec: VolumeSpec, _ engine: EnginePaths, on files: some PathResolver = FileSystem()
    ) throws(RuntimeError) {
        try check(driver: spec.driver, spec.options, engine, on: files)
    }

    func check(
        driver: String, _ options: [String: String], _ engine: EnginePaths,
        on files: some PathResolver
    ) throws(RuntimeError) {
        guard volumeDrivers.match(driver) else {
            throw Self.refusal(.volumeDrivers, "driver \(driver) is not among those allowed")
        }
        guard driver == VolumeSpec.localDriver, !options.isEmpty else { return }
        let device = options["device"] ?? ""
        // mount(8), which Podman runs, takes `bind` with a value and in quotes as well.
        if (options["o"] ?? "").split(separator: ",").contains(where: { $0.contains("bind") }) {
            return try check(bind: device, engine, on: files)
        }
        let type = options["type"] ?? ""
        guard mountTypes.match(type) else {
            throw Self.refusal(
                .mountTypes, "file systems of type '\(type)' are not among those allowed")
        }
        if device.utf8.first == UInt8(ascii: "/") { try check(device: device, on: files) }
    }
}
