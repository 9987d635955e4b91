import PrintableText
import RuntimeAPI

extension DevicePolicy {
    /// Checks a volume that is about to be created.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func check(
        _ spec: VolumeSpec, _ reserved: ReservedPaths, on files: some PathResolver = FileSystem()
    ) throws(RuntimeError) {
        try check(driver: spec.driver, spec.options, reserved, on: files)
    }

    /// Checks what a driver is given, when the volume is created and whenever it is mounted.
    func check(
        driver: String, _ options: [String: String], _ reserved: ReservedPaths,
        on files: some PathResolver
    ) throws(RuntimeError) {
        guard volumeDrivers.match(driver) else {
            throw Self.refusal(
                .volumeDrivers, "driver \(excerpt(driver)) is not allowed", add: driver)
        }
        guard driver == VolumeSpec.localDriver, !options.isEmpty else { return }
        let device = options["device"] ?? ""
        let type = options["type"] ?? ""
        let mount = MountOptions(options["o"] ?? "")
        if mount.mayBind {
            try check(bind: device, reserved, on: files)
            try check(options: mount, type: type)
            // The engine follows this path again whenever it mounts the volume.
            return try Self.requireReal(device, on: files)
        }
        guard mountTypes.match(type) else {
            throw Self.refusal(
                .mountTypes, "file system type '\(excerpt(type))' is not allowed", add: type)
        }
        try check(options: mount, type: type)
        guard device.utf8.first == UInt8(ascii: "/") else { return }
        try check(device: device, on: files)
        // Its folders would be in two places, and a container could redirect binds of the others.
        if let number = files.deviceNumber(of: device),
            let mount = files.mountTable().mounts.first(where: { $0.source.device == number })
        {
            throw Self.denial(
                .devices,
                "device \(excerpt(device)) is mounted at \(excerpt("\(mount.point)")) already; bind "
                    + "that folder")
        }
    }

    private func check(options mount: MountOptions, type: String) throws(RuntimeError) {
        guard let option = mount.firstRefused(type: type, extra: mountOptions) else { return }
        let shown = excerpt(option.value.map { "\(option.name)=\($0)" } ?? option.name)
        throw Self.refusal(
            .mountOptions,
            "mount option '\(shown)' is not allowed for file system type '\(excerpt(type))'",
            add: option.name)
    }
}
