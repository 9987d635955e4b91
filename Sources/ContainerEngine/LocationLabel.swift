import RuntimeAPI

/// The labels that tell of a container's location (gNOI Containerz, ListContainerResponse).
enum LocationLabel {
    static let intended = "net.openconfig.containerz.location.intended"
    static let actual = "net.openconfig.containerz.location.actual"
    static let reason = "net.openconfig.containerz.location.reason"

    static func value(_ location: ContainerSpec.Location) -> String {
        switch location {
        case .primary: "L_PRIMARY"
        case .backup: "L_BACKUP"
        case .all: "L_ALL"
        }
    }

    /// The labels of a container on a device whose only supervisor runs everything.
    static func labels(for location: ContainerSpec.Location) -> [String: String] {
        [
            intended: value(location), actual: value(.primary),
            reason: location == .backup ? "this device has only a primary supervisor" : "",
        ]
    }
}
