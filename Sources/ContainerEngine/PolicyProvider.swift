import DevicePolicy
import OCI
import RuntimeAPI
import SystemIO

/// Whose policy an engine keeps to; it may be another one from call to call.
@EventLoop
public protocol PolicyProvider: AnyObject, Sendable {
    var policy: DevicePolicy { get }

    /// - Parameter digest: of the image's configuration.
    /// - Throws: `RuntimeError.notPermitted` when the policy wants a signature that there is not.
    func requireSignature(of image: ImageName, _ digest: Digest) throws(RuntimeError)
}
