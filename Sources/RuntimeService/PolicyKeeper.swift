import ContainerEngine
import CosignSignature
import DevicePolicy
import Logging
import OCI
import RuntimeAPI
import SystemIO

/// Has the device's policy at hand, and reads it again when its file changes.
@EventLoop
public final class PolicyKeeper: PolicyProvider {
    public private(set) var policy: DevicePolicy
    /// What the policy's signatures are checked with, by their files.
    private var keys: [String: VerificationKey]
    let signatures: SignatureStore
    private let file: PolicyFile
    private let ownFolders: [ReservedPaths.Entry]
    private let logger: Logger
    /// Once a policy was read from the file, there being none is no reason to be less strict.
    private var hasBeenRead: Bool
    private var watch: FileWatch?

    /// - Parameter ownFolders: folders of this program that no container may have.
    /// - Throws: `PolicyFile.Failure`.
    public init(
        _ file: PolicyFile, _ signatures: SignatureStore,
        ownFolders: [ReservedPaths.Entry] = [], logger: Logger
    ) throws {
        self.file = file
        self.ownFolders = ownFolders
        self.signatures = signatures
        self.logger = logger
        hasBeenRead = file.exists
        policy = .default
        keys = [:]
        (policy, keys) = try read()
        logger.info(
            "policy", metadata: ["file": "\(hasBeenRead ? file.path : "none: the built-in one")"])
    }

    public var reserved: [ReservedPaths.Entry] {
        ownFolders + [.init(file.path, "the device's policy")]
            + policy.keyFiles.map { .init($0, "a key of the device's policy") }
    }

    /// Reads it again; one that cannot be read leaves the one before in force.
    public func reload() {
        do {
            hasBeenRead = hasBeenRead || file.exists
            (policy, keys) = try read()
            logger.notice("the policy was read again", metadata: ["file": "\(file.path)"])
        } catch {
            logger.error(
                "the new policy is no good, and the old one stays in force",
                metadata: ["reason": "\(error)"])
        }
    }

    /// Watches the files before it reads them, so that no change is missed; which they are only
    /// the policy says.
    private func read() throws -> (DevicePolicy, [String: VerificationKey]) {
        var files = policy.keyFiles
        while true {
            watch(files)
            let policy = try file.read(required: hasBeenRead)
            guard policy.keyFiles != files else {
                return (policy, try PolicyFile.keys(of: policy))
            }
            files = policy.keyFiles
        }
    }

    public func requireSignature(of image: ImageName, _ digest: Digest) throws(RuntimeError) {
        let rules = policy.signatureRules(for: image, digest)
        guard !rules.isEmpty else { return }
        let evidence: [SignatureEvidence]
        do {
            evidence = try signatures.evidence(for: digest)
        } catch {
            logger.error(
                "the signatures of an image cannot be read",
                metadata: ["image": "\(digest)", "reason": "\(error)"])
            throw DevicePolicy.unsigned(image, "those that came with it cannot be read")
        }
        for rule in rules {
            var flaw: SignatureEvidence.Flaw?
            let isSigned = evidence.contains { one in
                do throws(SignatureEvidence.Flaw) {
                    try one.verify(digest, with: rule.keys.compactMap { keys[$0] })
                    return true
                } catch {
                    // Of several, what is wrong with one by the right key says most.
                    if flaw == nil || error != .noKeyFits { flaw = error }
                    return false
                }
            }
            if !isSigned {
                throw DevicePolicy.unsigned(image, flaw?.description ?? "none came with it")
            }
        }
    }

    /// Whether any of the policy's keys made it.
    func isGood(_ evidence: SignatureEvidence, for image: Digest) -> Bool {
        (try? evidence.verify(image, with: Array(keys.values))) != nil
    }

    private func watch(_ keyFiles: [String]) {
        watch?.cancel()
        do {
            watch = try FileWatch([file.path] + keyFiles) { [weak self] in self?.reload() }
        } catch {
            // Its folder may be missing where the built-in policy is in force.
            watch = nil
            logger.debug("the policy is not watched", metadata: ["reason": "\(error)"])
        }
    }
}
