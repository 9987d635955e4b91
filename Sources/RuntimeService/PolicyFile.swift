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

    public var exists: Bool { access(path, F_OK) == 0 }

    /// - Returns: the built-in policy where there is no file and none was asked for.
    /// - Throws: ``Failure``.
    public func read() throws(Failure) -> DevicePolicy {
        guard isRequired || exists else { return .default }
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
