import JSON
import OCI
import PrintableText
import RuntimeAPI

/// What may run on a device: which images, with what of the host. containerz-policy(5) describes
/// the file that it is read from.
///
/// It is given what is known of an image and its volumes, asks a ``PathResolver`` where paths of the
/// device lead, and says yes or throws `RuntimeError.notPermitted` with the rule that says no.
public struct DevicePolicy: Hashable, Sendable {
    /// What is allowed, and what is not although it is allowed.
    public struct Rules<Entry: Hashable & Sendable>: Hashable, Sendable {
        public var allow: [Entry]
        public var deny: [Entry]

        public init(allow: [Entry], deny: [Entry] = []) {
            self.allow = allow
            self.deny = deny
        }
    }

    /// The most that a container may take; nil where it needs no limit.
    public struct Limits: Hashable, Sendable {
        /// In bytes.
        public var memory: Int64?
        /// Processors' worth of time.
        public var cpus: Double?

        public init(memory: Int64? = nil, cpus: Double? = nil) {
            self.memory = memory
            self.cpus = cpus
        }
    }

    /// Images that run only with the signature of one of these keys.
    public struct SignatureRule: Hashable, Sendable {
        public var images: [ImagePattern]
        /// PEM files.
        public var keys: [String]

        public init(images: [ImagePattern], keys: [String]) {
            self.images = images
            self.keys = keys
        }
    }

    public var images: Rules<ImagePattern>
    /// What may be bound into containers.
    public var hostPaths: Rules<HostPath>
    /// Names of devices under /dev.
    public var devices: [Glob]
    /// What every container has unless the request removes it, without `CAP_`.
    public var defaultCapabilities: Set<String>
    /// What a request may add, without `CAP_`.
    public var capabilities: Set<String>
    /// Whether programs of a container may gain privileges, as setuid programs do
    /// (PR_SET_NO_NEW_PRIVS(2const)).
    public var allowsNewPrivileges: Bool
    public var networks: [Glob]
    /// Ports of the device that containers may be published on.
    public var ports: [ClosedRange<UInt16>]
    public var users: Rules<UserPattern>
    public var limits: Limits
    /// Types of file systems that a local volume may mount.
    public var mountTypes: [Glob]
    /// Names of mount options that local volumes may have beside the harmless ones.
    public var mountOptions: Set<String>
    public var volumeDrivers: [Glob]
    /// Whether plugins may be started.
    public var allowsPlugins: Bool
    public var signatures: [SignatureRule]
    /// Whether containers, volumes and images that are not ours may be stopped and removed, and
    /// the logs of such containers read.
    public var allowsForeign: Bool

    /// Reads a policy; what it does not say is as in ``default``.
    ///
    /// - Throws: `JSONObjectReader.Failure`, which says where, also for keys that nobody knows.
    public init(parsing text: [UInt8]) throws(JSONObjectReader.Failure) {
        self = try Self.parse(text)
    }

    init(
        images: Rules<ImagePattern>, hostPaths: Rules<HostPath>, devices: [Glob],
        defaultCapabilities: Set<String>, capabilities: Set<String>, allowsNewPrivileges: Bool,
        networks: [Glob], ports: [ClosedRange<UInt16>], users: Rules<UserPattern>,
        limits: Limits, mountTypes: [Glob], mountOptions: Set<String>, volumeDrivers: [Glob],
        allowsPlugins: Bool, signatures: [SignatureRule], allowsForeign: Bool
    ) {
        self.images = images
        self.hostPaths = hostPaths
        self.devices = devices
        self.defaultCapabilities = defaultCapabilities
        self.capabilities = capabilities
        self.allowsNewPrivileges = allowsNewPrivileges
        self.networks = networks
        self.ports = ports
        self.users = users
        self.limits = limits
        self.mountTypes = mountTypes
        self.mountOptions = mountOptions
        self.volumeDrivers = volumeDrivers
        self.allowsPlugins = allowsPlugins
        self.signatures = signatures
        self.allowsForeign = allowsForeign
    }

    /// The files whose content the policy rests on, besides its own.
    public var keyFiles: [String] {
        Array(Set(signatures.flatMap(\.keys))).sorted()
    }

    /// The name of a rule, as refusals have it: that of its key in the file, but for
    /// ``ownership``, whose key is `foreign`.
    enum Rule: String {
        case images, hostPaths, devices, capabilities, newPrivileges, networks, ports, users
        case limits, mountTypes, mountOptions, volumeDrivers, plugins, signatures, ownership

        /// The list that an entry has to be in for the rule to allow it.
        var list: String {
            switch self {
            case .images, .hostPaths, .users: "\(rawValue).allow"
            default: rawValue
            }
        }
    }

    /// - Parameter entry: what the list of the rule lacks; nil where adding something to a list
    ///   is not the way to allow it.
    static func refusal(_ rule: Rule, _ reason: String, add entry: String? = nil) -> RuntimeError {
        let remedy = entry.map { "; to allow it, add \"\(excerpt($0))\" to \(rule.list)" } ?? ""
        return .notPermitted(rule: rule.rawValue, reason: "\(reason)\(remedy)")
    }

    /// - Parameter entry: the entry of the rule's `deny` that matches; nil where the rule has no
    ///   entry for it.
    static func denial(_ rule: Rule, _ reason: String, remove entry: String? = nil) -> RuntimeError
    {
        let remedy =
            entry.map { "; to allow it, remove \"\(excerpt($0))\" from \(rule.rawValue).deny" }
            ?? ""
        return .notPermitted(rule: "\(rule.rawValue).deny", reason: "\(reason)\(remedy)")
    }
}
