import SwiftProtobuf
import UpgradeAPI

/// What the installing program says of the upgrade it has begun last: a KEY=VALUE a line.
struct UpgradeResult {
    enum State: String {
        case installing
        case done
        case failed
    }

    var upgrade: UpgradeIdentifier
    var state: State
    var message = ""
    /// Names and versions.
    var packages: [(name: String, version: String)] = []

    /// - Returns: nil for what is malformed.
    init?(parsing text: String) {
        var upgrade: UpgradeIdentifier?
        var state: State?
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let value = String(decoding: line[line.index(after: equals)...], as: UTF8.self)
            switch String(decoding: line[..<equals], as: UTF8.self) {
            case "id": upgrade = UpgradeIdentifier(value)
            case "state": state = State(rawValue: value)
            case "message": message = value
            case "package":
                let parts = value.split(separator: " ")
                guard parts.count == 2 else { return nil }
                packages.append((String(parts[0]), String(parts[1])))
            default: continue
            }
        }
        guard let upgrade, let state else { return nil }
        self.upgrade = upgrade
        self.state = state
    }

    var response: Containerz_Upgrade_V1_Upgrade {
        .with {
            $0.id = "\(upgrade)"
            $0.state =
                switch state {
                case .installing: .installing
                case .done: .done
                case .failed: .failed
                }
            $0.message = message
            $0.packages = packages.map { package in
                .with {
                    $0.name = package.name
                    $0.version = package.version
                }
            }
        }
    }
}
