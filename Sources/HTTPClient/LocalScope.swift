/// Why an address leads to this device or to its links, rather than to another host.
public enum LocalScope: Hashable, Sendable, CustomStringConvertible {
    case unspecified
    case loopback
    /// Of one link; metadata services of clouds are at 169.254.169.254.
    case linkLocal
    case multicast
    /// Broadcast, or not assigned to anything.
    case reserved
    /// The metadata service of a cloud that has an address of another kind.
    case metadata
    case device

    public var description: String {
        switch self {
        case .unspecified: "an unspecified address"
        case .loopback: "a loopback address"
        case .linkLocal: "a link-local address"
        case .multicast: "a multicast address"
        case .reserved: "a reserved address"
        case .metadata: "the address of a cloud's metadata service"
        case .device: "an address of this device"
        }
    }

    /// - Parameter own: the addresses of this device.
    /// - Returns: nil for an address of another host.
    public init?(of address: NetworkAddress, own: Set<NetworkAddress>) {
        if let scope = Self.scope(of: address.bytes) {
            self = scope
            return
        }
        if own.contains(address) {
            self = .device
            return
        }
        // IPv6 has many ways to write an address of IPv4.
        for embedded in Self.embedded(in: address.bytes) {
            guard let inner = NetworkAddress(embedded) else { continue }
            if let scope = Self.scope(of: embedded) ?? (own.contains(inner) ? .device : nil) {
                self = scope
                return
            }
        }
        return nil
    }

    private static func scope(of bytes: [UInt8]) -> LocalScope? {
        bytes.count == 4 ? scope4(bytes) : scope6(bytes)
    }

    /// RFC 6890 and the registry that it began.
    private static func scope4(_ bytes: [UInt8]) -> LocalScope? {
        switch (bytes[0], bytes[1]) {
        case (0, _): .unspecified
        case (127, _): .loopback
        case (169, 254): .linkLocal
        case (224...239, _): .multicast
        case (240..., _): .reserved
        default: metadata4.contains(bytes) ? .metadata : nil
        }
    }

    /// Alibaba, Azure and Oracle.
    private static let metadata4: Set<[UInt8]> = [
        [100, 100, 100, 200], [168, 63, 129, 16], [192, 0, 0, 192],
    ]
    /// Amazon and Google.
    private static let metadata6: Set<[UInt8]> = [
        [0xFD, 0x00, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54],
        [0xFD, 0x20, 0x00, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54],
    ]

    private static func scope6(_ bytes: [UInt8]) -> LocalScope? {
        if bytes.dropLast().allSatisfy({ $0 == 0 }) {
            if bytes[15] == 0 { return .unspecified }
            if bytes[15] == 1 { return .loopback }
        }
        switch (bytes[0], bytes[1] & 0xC0) {
        case (0xFE, 0x80): return .linkLocal
        // Site-local, deprecated (RFC 3879).
        case (0xFE, 0xC0): return .reserved
        case (0xFF, _): return .multicast
        default: return metadata6.contains(bytes) ? .metadata : nil
        }
    }

    /// The addresses of IPv4 that one of IPv6 may stand for.
    private static func embedded(in bytes: [UInt8]) -> [[UInt8]] {
        guard bytes.count == 16 else { return [] }
        let last = Array(bytes[12...])
        // IPv4-compatible, IPv4-mapped (RFC 4291, section 2.5.5), and IPv4-translated (RFC 2765).
        if bytes[..<8].allSatisfy({ $0 == 0 }) {
            switch Array(bytes[8..<12]) {
            case [0, 0, 0, 0], [0, 0, 0xFF, 0xFF], [0xFF, 0xFF, 0, 0]: return [last]
            default: break
            }
        }
        let prefix = Array(bytes[..<6])
        // The well-known prefix of NAT64 (RFC 6052).
        if prefix == [0x00, 0x64, 0xFF, 0x9B, 0, 0] { return [last] }
        // That for local use (RFC 8215), in which it stands where the network likes (RFC 6052,
        // section 2.2); a reading that begins with 0 is not the one that was meant.
        if prefix == [0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01] {
            return [
                last, Array(bytes[9...12]), [bytes[7]] + bytes[9...11],
                Array(bytes[6...7]) + bytes[9...10],
            ].filter { $0[0] != 0 }
        }
        // 6to4 (RFC 3056) and Teredo (RFC 4380), which inverts it.
        if bytes[0] == 0x20, bytes[1] == 0x02 { return [Array(bytes[2...5])] }
        if Array(bytes[..<4]) == [0x20, 0x01, 0, 0] { return [last.map { ~$0 }] }
        // ISATAP (RFC 5214).
        if bytes[8] & 0xFD == 0, Array(bytes[9..<12]) == [0, 0x5E, 0xFE] { return [last] }
        return []
    }
}
