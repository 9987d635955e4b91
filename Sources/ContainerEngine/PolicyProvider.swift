import DevicePolicy
import OCI
import RuntimeAPI
import SystemIO

/// Whose policy an engine keeps to; it may be another one from call to call.
@EventLoop
public protocol PolicyProvider: AnyObject, Sendable {
    var policy: DevicePolicy { get }
    /// Files and folders of this program that are never bound, whatever the policy says.
    var reserved: [ReservedPaths.Entry] { get }

    /// - Parameter digest: of the image's configuration.
    /// - Throws: `RuntimeError.notPermitted` when the policy wants a signature that there is not.
    func requireSignature(of image: ImageName, _ digest: Digest) throws(RuntimeError)
}
