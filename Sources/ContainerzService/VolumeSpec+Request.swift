import GNOI
import RuntimeAPI

extension VolumeSpec {
    /// The option of a custom volume that names its driver; the API has no field for that.
    static let driverOption = "driver"

    /// Every field of a CreateVolumeRequest.
    ///
    /// - Throws: ``RequestError``.
    init(_ request: Gnoi_Containerz_CreateVolumeRequest) throws(RequestError) {
        self.init(name: request.name, labels: request.labels)
        switch (request.driver, request.options) {
        case (.dsUnspecified, nil), (.dsLocal, nil): break
        case (.dsUnspecified, .localMountOptions(let local)),
            (.dsLocal, .localMountOptions(let local)):
            options = try Self.options(local)
        case (.dsCustom, .customOptions(let custom)):
            options = custom.options
            guard let name = options.removeValue(forKey: Self.driverOption), !name.isEmpty else {
                throw RequestError(
                    "custom_options", "the option '\(Self.driverOption)' has to name the driver")
            }
            guard name != Self.localDriver else {
                throw RequestError("custom_options", "'\(name)' is what DS_LOCAL is for")
            }
            driver = name
        case (.dsCustom, _):
            throw RequestError("custom_options", "a custom driver needs them")
        case (.dsUnspecified, .customOptions), (.dsLocal, .customOptions):
            throw RequestError("custom_options", "the local driver takes local_mount_options")
        case (.UNRECOGNIZED(let number), _):
            throw RequestError("driver", "there is no driver \(number)")
        }
    }

    /// As mount(8) has them, which is how they are listed.
    private static func options(
        _ local: Gnoi_Containerz_LocalDriverOptions
    ) throws(RequestError) -> [String: String] {
        guard local != .init() else { return [:] }
        if case .UNRECOGNIZED(let number) = local.type {
            throw RequestError("local_mount_options", "there is no type \(number)")
        }
        return [
            "type": "none", "o": local.options.joined(separator: ","), "device": local.mountpoint,
        ]
    }
}
