import Varlink

/// The errors that `org.containerz.Runtime` declares.
public enum RuntimeError: InterfaceError, Hashable {
    case imageNotFound(ImageName)
    /// A container uses it.
    case imageInUse(ImageName, container: String)
    case containerNotFound(name: String)
    /// It runs, and force was not set.
    case containerRunning(name: String)
    /// The name is taken.
    case containerExists(name: String)
    /// Something else on the device has the external port.
    case portInUse(UInt16)
    case networkNotFound(String)
    case volumeNotFound(String)
    /// The name is taken.
    case volumeExists(String)
    /// A container uses it.
    case volumeInUse(String, container: String)
    case pluginNotFound(String)
    /// The name is taken.
    case pluginExists(String)
    /// It runs, or something needs it.
    case pluginInUse(String, reason: String)
    /// It was made but would not start; it is gone again.
    case pluginFailed(String, reason: String)
    /// Nothing that this engine can do.
    case notSupported(reason: String)
    /// There is no such file or directory on the device.
    case pathNotFound(String)
    /// The engine has no such volume driver.
    case driverNotFound(String)
    /// A parameter that cannot be right, whatever the state of the device.
    case invalidArgument(field: String, reason: String)
    /// The device's policy forbids it.
    case notPermitted(rule: String, reason: String)
    case restartPolicyRejected(reason: String)
    /// A user or group that the image or the engine does not take.
    case userRejected(user: String, reason: String)
    /// The container was created but would not start; it is gone again.
    case startFailed(name: String, reason: String)
    /// It is being updated.
    case updateInProgress(name: String)
    /// The new version did not prove itself.
    case updateFailed(name: String, reason: String)
    /// It still runs.
    case stopFailed(name: String, reason: String)
    /// The engine did not take the image; nothing of it is left.
    case loadFailed(reason: String)
    /// Not enough room where the engine keeps its images.
    case insufficientStorage(reason: String)
    /// What was to be cleaned away is in use, or is not what it was when it was looked at.
    case stillNeeded(String, reason: String)
    /// Nobody answers on the engine's socket, or cz-runtime is about to stop.
    case engineUnavailable(reason: String)
    /// The engine failed in a way that none of the others describes.
    case engineFailed(reason: String)
}

extension RuntimeError: CustomStringConvertible {
    public static func unexpected(_ error: any Error) -> RuntimeError {
        if let error = error as? DescriptorRefused {
            return .invalidArgument(field: error.parameter, reason: error.reason)
        }
        return .engineFailed(reason: "\(error)")
    }

    /// A sentence for the user.
    public var description: String {
        switch self {
        case .imageNotFound(let image): "there is no image \(image)"
        case .imageInUse(let image, let container):
            "image \(image) is in use by container \(container)"
        case .containerNotFound(let name): "there is no container \(name)"
        case .containerRunning(let name): "container \(name) is running"
        case .containerExists(let name): "there is a container \(name) already"
        case .portInUse(let port): "port \(port) is in use"
        case .networkNotFound(let network): "there is no network \(network)"
        case .volumeNotFound(let volume): "there is no volume \(volume)"
        case .volumeExists(let volume): "there is a volume \(volume) already"
        case .volumeInUse(let volume, let container):
            "volume \(volume) is in use by container \(container)"
        case .pluginNotFound(let plugin): "there is no plugin \(plugin)"
        case .pluginExists(let plugin): "there is a plugin \(plugin) already"
        case .pluginInUse(let plugin, let reason): "plugin \(plugin) is in use: \(reason)"
        case .pluginFailed(let plugin, let reason): "plugin \(plugin) did not start: \(reason)"
        case .notSupported(let reason): reason
        case .pathNotFound(let path): "there is no \(path) on the device"
        case .driverNotFound(let driver): "there is no volume driver \(driver)"
        case .invalidArgument(let field, let reason): "\(field): \(reason)"
        case .notPermitted(let rule, let reason):
            "the device's policy forbids it: \(reason) (rule \(rule))"
        case .restartPolicyRejected(let reason): "restart policy: \(reason)"
        case .userRejected(let user, let reason): "user \(user): \(reason)"
        case .startFailed(let name, let reason): "container \(name) did not start: \(reason)"
        case .updateInProgress(let name): "an update of container \(name) is under way"
        case .updateFailed(let name, let reason): "container \(name) was not updated: \(reason)"
        case .stopFailed(let name, let reason): "container \(name) did not stop: \(reason)"
        case .loadFailed(let reason): "the engine did not load the image: \(reason)"
        case .insufficientStorage(let reason): "not enough storage: \(reason)"
        case .stillNeeded(let object, let reason): "\(object) stays: \(reason)"
        case .engineUnavailable(let reason): "the container engine is not available: \(reason)"
        case .engineFailed(let reason): "the container engine failed: \(reason)"
        }
    }
}
