import Varlink

// The names and parameters of the errors, both ways, as the interface text declares them.

extension RuntimeError {
    /// The error names of the interface, without its prefix.
    enum Name: String, CaseIterable {
        case imageNotFound = "ImageNotFound"
        case imageInUse = "ImageInUse"
        case containerNotFound = "ContainerNotFound"
        case containerRunning = "ContainerRunning"
        case containerExists = "ContainerExists"
        case portInUse = "PortInUse"
        case networkNotFound = "NetworkNotFound"
        case volumeNotFound = "VolumeNotFound"
        case volumeExists = "VolumeExists"
        case volumeInUse = "VolumeInUse"
        case pluginNotFound = "PluginNotFound"
        case pluginExists = "PluginExists"
        case pluginInUse = "PluginInUse"
        case pluginFailed = "PluginFailed"
        case notSupported = "NotSupported"
        case pathNotFound = "PathNotFound"
        case driverNotFound = "DriverNotFound"
        case invalidArgument = "InvalidArgument"
        case notPermitted = "PermissionDenied"
        case restartPolicyRejected = "RestartPolicyRejected"
        case userRejected = "UserRejected"
        case startFailed = "StartFailed"
        case updateInProgress = "UpdateInProgress"
        case updateFailed = "UpdateFailed"
        case stopFailed = "StopFailed"
        case loadFailed = "LoadFailed"
        case insufficientStorage = "InsufficientStorage"
        case stillNeeded = "StillNeeded"
        case engineUnavailable = "EngineUnavailable"
        case engineFailed = "EngineFailed"
    }

    private enum CodingKeys: CodingKey {
        case image, container, name, port, network, volume, driver, plugin, path, field, user,
            object, rule, reason
    }

    public var errorName: String { "\(Runtime.interface).\(wireName.rawValue)" }

    var wireName: Name {
        switch self {
        case .imageNotFound: .imageNotFound
        case .imageInUse: .imageInUse
        case .containerNotFound: .containerNotFound
        case .containerRunning: .containerRunning
        case .containerExists: .containerExists
        case .portInUse: .portInUse
        case .networkNotFound: .networkNotFound
        case .volumeNotFound: .volumeNotFound
        case .volumeExists: .volumeExists
        case .volumeInUse: .volumeInUse
        case .pluginNotFound: .pluginNotFound
        case .pluginExists: .pluginExists
        case .pluginInUse: .pluginInUse
        case .pluginFailed: .pluginFailed
        case .notSupported: .notSupported
        case .pathNotFound: .pathNotFound
        case .driverNotFound: .driverNotFound
        case .invalidArgument: .invalidArgument
        case .notPermitted: .notPermitted
        case .restartPolicyRejected: .restartPolicyRejected
        case .userRejected: .userRejected
        case .startFailed: .startFailed
        case .updateInProgress: .updateInProgress
        case .updateFailed: .updateFailed
        case .stopFailed: .stopFailed
        case .loadFailed: .loadFailed
        case .insufficientStorage: .insufficientStorage
        case .stillNeeded: .stillNeeded
        case .engineUnavailable: .engineUnavailable
        case .engineFailed: .engineFailed
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .imageNotFound(let image):
            try fields.encode(image, forKey: .image)
        case .imageInUse(let image, let container):
            try fields.encode(image, forKey: .image)
            try fields.encode(container, forKey: .container)
        case .containerNotFound(let name), .containerRunning(let name), .containerExists(let name),
            .updateInProgress(let name):
            try fields.encode(name, forKey: .name)
        case .portInUse(let port):
            try fields.encode(port, forKey: .port)
        case .networkNotFound(let network):
            try fields.encode(network, forKey: .network)
        case .volumeInUse(let volume, let container):
            try fields.encode(volume, forKey: .volume)
            try fields.encode(container, forKey: .container)
        case .pluginNotFound(let plugin), .pluginExists(let plugin):
            try fields.encode(plugin, forKey: .plugin)
        case .pluginInUse(let plugin, let reason), .pluginFailed(let plugin, let reason):
            try fields.encode(plugin, forKey: .plugin)
            try fields.encode(reason, forKey: .reason)
        case .pathNotFound(let path):
            try fields.encode(path, forKey: .path)
        case .driverNotFound(let driver):
            try fields.encode(driver, forKey: .driver)
        case .volumeNotFound(let volume), .volumeExists(let volume):
            try fields.encode(volume, forKey: .volume)
        case .invalidArgument(let field, let reason):
            try fields.encode(field, forKey: .field)
            try fields.encode(reason, forKey: .reason)
        case .notPermitted(let rule, let reason):
            try fields.encode(rule, forKey: .rule)
            try fields.encode(reason, forKey: .reason)
        case .userRejected(let user, let reason):
            try fields.encode(user, forKey: .user)
            try fields.encode(reason, forKey: .reason)
        case .startFailed(let name, let reason), .stopFailed(let name, let reason),
            .updateFailed(let name, let reason):
            try fields.encode(name, forKey: .name)
            try fields.encode(reason, forKey: .reason)
        case .stillNeeded(let object, let reason):
            try fields.encode(object, forKey: .object)
            try fields.encode(reason, forKey: .reason)
        case .notSupported(let reason), .restartPolicyRejected(let reason), .loadFailed(let reason),
            .insufficientStorage(let reason), .engineUnavailable(let reason),
            .engineFailed(let reason):
            try fields.encode(reason, forKey: .reason)
        }
    }

    public init?(errorName: String, from decoder: any Decoder) throws {
        let prefix = "\(Runtime.interface)."
        guard errorName.hasPrefix(prefix),
            let name = Name(rawValue: String(errorName.dropFirst(prefix.count)))
        else { return nil }
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) throws -> String {
            try fields.decode(String.self, forKey: key)
        }
        func image() throws -> ImageName { try fields.decode(ImageName.self, forKey: .image) }
        self =
            switch name {
            case .imageNotFound: .imageNotFound(try image())
            case .imageInUse: .imageInUse(try image(), container: try text(.container))
            case .containerNotFound: .containerNotFound(name: try text(.name))
            case .containerRunning: .containerRunning(name: try text(.name))
            case .containerExists: .containerExists(name: try text(.name))
            case .portInUse: .portInUse(try fields.decode(UInt16.self, forKey: .port))
            case .networkNotFound: .networkNotFound(try text(.network))
            case .volumeNotFound: .volumeNotFound(try text(.volume))
            case .volumeExists: .volumeExists(try text(.volume))
            case .volumeInUse:
                .volumeInUse(try text(.volume), container: try text(.container))
            case .pluginNotFound: .pluginNotFound(try text(.plugin))
            case .pluginExists: .pluginExists(try text(.plugin))
            case .pluginInUse: .pluginInUse(try text(.plugin), reason: try text(.reason))
            case .pluginFailed: .pluginFailed(try text(.plugin), reason: try text(.reason))
            case .notSupported: .notSupported(reason: try text(.reason))
            case .pathNotFound: .pathNotFound(try text(.path))
            case .driverNotFound: .driverNotFound(try text(.driver))
            case .invalidArgument:
                .invalidArgument(field: try text(.field), reason: try text(.reason))
            case .notPermitted:
                .notPermitted(rule: try text(.rule), reason: try text(.reason))
            case .restartPolicyRejected: .restartPolicyRejected(reason: try text(.reason))
            case .userRejected: .userRejected(user: try text(.user), reason: try text(.reason))
            case .startFailed: .startFailed(name: try text(.name), reason: try text(.reason))
            case .updateInProgress: .updateInProgress(name: try text(.name))
            case .updateFailed:
                .updateFailed(name: try text(.name), reason: try text(.reason))
            case .stopFailed: .stopFailed(name: try text(.name), reason: try text(.reason))
            case .loadFailed: .loadFailed(reason: try text(.reason))
            case .insufficientStorage: .insufficientStorage(reason: try text(.reason))
            case .stillNeeded: .stillNeeded(try text(.object), reason: try text(.reason))
            case .engineUnavailable: .engineUnavailable(reason: try text(.reason))
            case .engineFailed: .engineFailed(reason: try text(.reason))
            }
    }
}
