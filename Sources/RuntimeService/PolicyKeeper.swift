import ContainerEngine
import DevicePolicy
import Logging
import OCI
import RuntimeAPI
import SystemIO

/// Has the device's policy at hand, and reads it again when its file changes.
@EventLoop
public final class PolicyKeeper: PolicyProvider {
    public private(set) var policy: DevicePolicy
    private let file: PolicyFile
    private let logger: Logger
    /// Once a policy was read from the file, there being none is no reason to be less strict.
    private var hasBeenRead: Bool
    private var watch: FileWatch?

    /// - Throws: `PolicyFile.Failure`.
    public init(_ file: PolicyFile, logger: Logger) throws {
        self.file = file
        self.logger = logger
        hasBeenRead = file.exists
        policy = try file.read()
        logger.info(
            "policy", metadata: ["file": "\(hasBeenRead ? file.path : "none: the built-in one")"])
        startWatching()
    }

    /// Reads it again; one that cannot be read leaves the one before in force.
    public func reload() {
        do {
            if hasBeenRead, !file.exists {
                throw PolicyFile.Failure(description: "\(file.path): it is gone")
            }
            policy = try file.read()
            hasBeenRead = file.exists
            logger.notice("the policy was read again", metadata: ["file": "\(file.path)"])
        } catch {
            logger.error(
                "the new policy is no good, and the old one stays in force",
                metadata: ["reason": "\(error)"])
        }
        startWatching()
    }

    public func requireSignature(of image: ImageName, _ digest: Digest) throws(RuntimeError) {
        // Until signatures come with images, nothing has one.
        if !policy.signatureRules(for: image, digest).isEmpty {
            throw DevicePolicy.unsigned(image, "it has none")
        }
    }

    private func startWatching() {
        watch?.cancel()
        do {
            watch = try FileWatch([file.path]) { [weak self] in self?.reload() }
        } catch {
            // Its folder may be missing where the built-in policy is in force.
            watch = nil
            logger.debug("the policy is not watched", metadata: ["reason": "\(error)"])
        }
    }
}
