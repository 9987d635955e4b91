import FuzzSupport

@testable import DevicePolicy

/// A list of mounts of any content gives each path one location, and looking it up ends.
@main struct MountTableTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let table = MountTable(parsing: input.bytes)
        var paths = table.mounts.prefix(16).map(\.point)
        paths += paths.map { $0.appending(HostPath(trusting: "/x")) }
        for path in paths {
            guard let location = table.location(of: path) else { continue }
            requireEqual(table.location(of: path), location)
            require(
                table.mounts.contains { $0.source.device == location.device },
                "\(location) is on a file system that is not mounted")
            require(location.isWithin(location), "\(location) is not within itself")
        }
    }
}
