import GNOI
import SwiftProtobuf

/// A text of the command line that is not what it should be.
public struct OptionError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// What a container is started with, as it is written on a command line.
public struct StartOptions: Encodable, Sendable {
    public var instance = ""
    /// `HOST:CONTAINER`.
    public var ports: [String] = []
    /// `KEY=VALUE`.
    public var environment: [String] = []
    /// `VOLUME:PATH` or `VOLUME:PATH:ro`.
    public var volumes: [String] = []
    public var network = ""
    /// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`.
    public var restart = "no"
    /// `USER` or `USER:GROUP`.
    public var user = ""
    public var addedCapabilities: [String] = []
    public var droppedCapabilities: [String] = []
    /// `PATH`, `PATH:PATH` or `PATH:PATH:rwm`.
    public var devices: [String] = []
    public var cpus: Double?
    /// Bytes, with `k`, `m` or `g` for 1024 and its powers.
    public var memory: String?
    public var softMemory: String?
    /// `KEY=VALUE`.
    public var labels: [String] = []
    /// `primary`, `backup` or `all`.
    public var location: String?
    /// The words of the command.
    public var command: [String] = []

    public init() {}

    /// The request for an image.
    ///
    /// - Parameter image: `NAME` or `NAME:TAG`; nil for a stopped instance.
    /// - Throws: ``OptionError`` that names the option.
    public func request(
        for image: (name: String, tag: String)?
    ) throws(OptionError) -> Gnoi_Containerz_StartContainerRequest {
        var request = Gnoi_Containerz_StartContainerRequest()
        request.imageName = image?.name ?? ""
        request.tag = image?.tag ?? ""
        request.instanceName = instance
        request.cmd = command.map(Self.quoted).joined(separator: " ")
        for port in ports { request.ports.append(try Self.port(port)) }
        request.environment = try Self.pairs(environment, "--env")
        for volume in volumes { request.volumes.append(try Self.volume(volume)) }
        request.network = network
        if !addedCapabilities.isEmpty || !droppedCapabilities.isEmpty {
            request.cap.add = addedCapabilities
            request.cap.remove = droppedCapabilities
        }
        try setRestart(&request)
        if !user.isEmpty {
            let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            request.runAs.user = String(parts[0])
            request.runAs.group = parts.count > 1 ? String(parts[1]) : ""
        }
        for device in devices { request.devices.append(try Self.device(device)) }
        if let cpus { request.limits.maxCpu = cpus }
        if let memory { request.limits.hardMemBytes = try Self.bytes(memory, "--memory") }
        if let softMemory {
            request.limits.softMemBytes = try Self.bytes(softMemory, "--memory-soft")
        }
        request.labels = try Self.pairs(labels, "--label")
        switch location {
        case nil: break
        case "primary": request.location = .lPrimary
        case "backup": request.location = .lBackup
        case "all": request.location = .lAll
        case let other?:
            throw OptionError("--location: '\(other)' is none of primary, backup, all")
        }
        return request
    }

    private static func port(
        _ text: String
    ) throws(OptionError) -> Gnoi_Containerz_StartContainerRequest.Port {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let external = UInt16(parts[0]), let `internal` = UInt16(parts[1]),
            external > 0, `internal` > 0
        else { throw OptionError("--publish: '\(text)' is not HOST:CONTAINER, two ports") }
        return .with {
            $0.external = UInt32(external)
            $0.internal = UInt32(`internal`)
        }
    }

    static func pairs(
        _ texts: [String], _ option: String
    ) throws(OptionError) -> [String: String] {
        var pairs: [String: String] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw OptionError("\(option): '\(text)' is not KEY=VALUE")
            }
            pairs[String(parts[0])] = String(parts[1])
        }
        return pairs
    }

    private static func volume(_ text: String) throws(OptionError) -> Gnoi_Containerz_Volume {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || (parts.count == 3 && ["ro", "rw"].contains(parts[2])),
            !parts[0].isEmpty, !parts[1].isEmpty
        else { throw OptionError("--volume: '\(text)' is not VOLUME:PATH or VOLUME:PATH:ro") }
        return .with {
            $0.name = parts[0]
            $0.mountPoint = parts[1]
            $0.readOnly = parts.count == 3 && parts[2] == "ro"
        }
    }

    private static func device(_ text: String) throws(OptionError) -> Gnoi_Containerz_Device {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let wrong = OptionError("--device: '\(text)' is not PATH, PATH:PATH or PATH:PATH:rwm")
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { throw wrong }
        var device = Gnoi_Containerz_Device()
        device.srcPath = parts[0]
        if parts.count > 1 { device.dstPath = parts[1] }
        for letter in parts.count > 2 ? parts[2] : "" {
            switch letter {
            case "r": device.permissions.append(.read)
            case "w": device.permissions.append(.write)
            case "m": device.permissions.append(.mknod)
            default: throw wrong
            }
        }
        return device
    }

    private func setRestart(
        _ request: inout Gnoi_Containerz_StartContainerRequest
    ) throws(OptionError) {
        let parts = restart.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts[0] {
        case "no": request.restart.policy = .none
        case "always": request.restart.policy = .always
        case "unless-stopped": request.restart.policy = .unlessStopped
        case "on-failure": request.restart.policy = .onFailure
        default:
            throw OptionError(
                "--restart: '\(restart)' is none of no, always, unless-stopped, on-failure[:N]")
        }
        guard parts.count == 2 else { return }
        guard parts[0] == "on-failure", let attempts = UInt32(parts[1]) else {
            throw OptionError("--restart: '\(restart)': a number goes only with on-failure")
        }
        request.restart.attempts = attempts
    }

    static func bytes(_ text: String, _ option: String) throws(OptionError) -> Int64 {
        let units: [Character: Int64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = text.lowercased()
        if digits.hasSuffix("b") { digits.removeLast() }
        var unit: Int64 = 1
        if let last = digits.last, let factor = units[last] {
            unit = factor
            digits.removeLast()
        }
        guard let number = Int64(digits), number > 0 else {
            throw OptionError("\(option): '\(text)' is not a size like 64m")
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow else { throw OptionError("\(option): '\(text)' is too much") }
        return bytes
    }

    /// A word as a shell reads it back as that word.
    public static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-_./:=,+@%".utf8.contains(byte)
                }
            }
        if isPlain { return word }
        let parts = word.split(separator: "'", omittingEmptySubsequences: false)
        return "'" + parts.joined(separator: #"'\''"#) + "'"
    }
}
