import CosignSignature
import DevicePolicy
import Glibc
import JSON
import SystemIO

/// Where a device's policy is read from.
public struct PolicyFile: Sendable {
    public static let usualPath = "/etc/containerz/policy.json"

    /// What is wrong with it.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    public let path: String
    /// Whether it was asked for: then it has to be there.
    public let isRequired: Bool

    /// - Parameter path: nil for the usual one.
    public init(_ path: String?) {
        self.path = path ?? Self.usualPath
        isRequired = path != nil
    }

    /// A link that leads nowhere is not the same as no file.
    public var exists: Bool {
        var status = stat()
        return lstat(path, &status) == 0 || errno != ENOENT
    }

    /// - Parameter required: whether there has to be a file, as when it was asked for.
    /// - Returns: the built-in policy where there is no file and none is required.
    /// - Throws: ``Failure``.
    public func read(required: Bool = false) throws(Failure) -> DevicePolicy {
        guard required || isRequired || exists else { return .default }
        let text: [UInt8]
        do {
            text = try TrustedFile.read(path, .open)
        } catch {
            throw Failure(description: error.description)
        }
        do {
            return try DevicePolicy(parsing: text)
        } catch {
            throw Failure(description: "\(path): \(error)")
        }
    }

    /// The keys that a policy names, by their files.
    ///
    /// - Throws: ``Failure``.
    public static func keys(
        of policy: DevicePolicy
    ) throws(Failure) -> [String: VerificationKey] {
        var keys: [String: VerificationKey] = [:]
        for path in policy.keyFiles {
            let pem: [UInt8]
            do {
                pem = try TrustedFile.read(path, .open)
            } catch {
                throw Failure(description: error.description)
            }
            do {
                keys[path] = try VerificationKey(pem: pem)
            } catch {
                throw Failure(description: "\(path): \(error)")
            }
        }
        return keys
    }
}
