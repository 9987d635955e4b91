import FuzzSupport
import JSON

@testable import DevicePolicy

/// A policy that is taken is written as it is read, and no spelling of a path gets past it.
@main struct DevicePolicyTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let (folder, detour) = (input.byte(), input.byte())
        let policy: DevicePolicy
        do {
            policy = try DevicePolicy(parsing: input.bytes)
        } catch {
            return require(
                error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 },
                "control characters in '\(error)'")
        }
        guard let written = try? policy.document.text else {
            fatalError("\(policy.document) cannot be written")
        }
        requireEqual(try? DevicePolicy(parsing: Array(written.utf8)), policy)
        // Paths are made of those the policy has, which are near the edge.
        let places = policy.hostPaths.allow + policy.hostPaths.deny + [HostPath(trusting: "/")]
        let (first, second) = (
            places[Int(folder) % places.count], places[Int(detour) % places.count]
        )
        for path in [
            "\(first)", "\(first)\(second)", "\(first)/..\(second)", "\(first)/./\(second)",
        ] {
            check(path, policy)
        }
    }

    /// What may be bound is in a folder that may be, and holds nothing of one that may not.
    private static func check(_ path: String, _ policy: DevicePolicy) {
        let allows = (try? policy.check(bind: path, ReservedPaths(), on: NoLinks())) != nil
        guard allows else { return }
        let place = parts(path)
        require(
            policy.hostPaths.allow.contains { place.starts(with: parts("\($0)")) },
            "\(path) is in no folder that is allowed")
        for denied in policy.hostPaths.deny.map({ parts("\($0)") }) {
            let touches =
                denied.isEmpty
                ? place.isEmpty : place.starts(with: denied) || denied.starts(with: place)
            require(!touches, "\(path) has something of what is denied")
        }
    }

    /// Byte by byte, as the kernel and the engines read paths.
    private static func parts(_ path: String) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        for part in Array(path.utf8).split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) {
                _ = parts.popLast()
            } else if !part.elementsEqual(".".utf8) {
                parts.append(Array(part))
            }
        }
        return parts
    }

    private struct NoLinks: PathResolver {
        func resolve(_ path: String) -> String { path }
        func identity(of path: String) -> FileIdentity? { nil }
        func deviceNumber(of path: String) -> String? { nil }
        func mountTable() -> MountTable { MountTable([]) }
    }
}
