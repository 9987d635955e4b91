import GNOI

/// A volume to be, as it is written on a command line.
public struct VolumeOptions: Sendable {
    /// Made up by the device when empty.
    public var name = ""
    /// A directory of the device to bind; nil for storage of the engine's own.
    public var bind: String?
    /// Further mount options of the bind.
    public var mountOptions: [String] = []
    /// A volume plugin; nil for the engine's own driver.
    public var driver: String?
    /// `KEY=VALUE`, for the plugin.
    public var driverOptions: [String] = []
    /// `KEY=VALUE`.
    public var labels: [String] = []

    public init() {}

    /// - Throws: ``OptionError`` that names the option.
    public func request() throws(OptionError) -> Gnoi_Containerz_CreateVolumeRequest {
        var request = Gnoi_Containerz_CreateVolumeRequest()
        request.name = name
        request.labels = try StartOptions.pairs(labels, "--label")
        request.driver = .dsLocal
        if let bind {
            guard driver == nil else { throw OptionError("--bind and --driver exclude each other") }
            request.localMountOptions.type = .none
            request.localMountOptions.options = ["bind"] + mountOptions
            request.localMountOptions.mountpoint = bind
        } else if !mountOptions.isEmpty {
            throw OptionError("--mount-option goes with --bind")
        }
        var custom = try StartOptions.pairs(driverOptions, "--driver-option")
        if let driver {
            guard custom["driver"] == nil else {
                throw OptionError("--driver-option: 'driver' is what --driver sets")
            }
            custom["driver"] = driver
            request.driver = .dsCustom
            request.customOptions.options = custom
        } else if !custom.isEmpty {
            throw OptionError("--driver-option goes with --driver")
        }
        return request
    }
}
