import JSON
import OCI
import RuntimeAPI
import Testing

@testable import DevicePolicy

/// A file system that consists of links.
struct Links: PathResolver {
    var links: [String: String] = [:]
    /// As in /proc/PID/mountinfo.
    var mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw"

    func identity(of path: String) -> FileIdentity? { identities[path] }
    var identities: [String: FileIdentity] = [:]
    func deviceNumber(of path: String) -> String? { deviceNumbers[path] }
    var deviceNumbers: [String: String] = [:]

    func mountTable() -> MountTable { MountTable(parsing: Array(mounts.utf8)) }

    func resolve(_ path: String) -> String {
        // The longest link that the path goes through.
        for (link, target) in links.sorted(by: { $0.key.utf8.count > $1.key.utf8.count })
        where path == link || path.hasPrefix("\(link)/") {
            return target + path.dropFirst(link.count)
        }
        return path
    }
}

/// The rule that refuses, or nil.
func refusal(_ body: () throws(RuntimeError) -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        guard case .notPermitted(let rule, let reason) = error else { return "\(error)" }
        return reason.isEmpty ? "no reason" : rule
    }
}

func policy(_ json: String) throws -> DevicePolicy { try DevicePolicy(parsing: Array(json.utf8)) }

@Suite("What a policy says of containers")
struct DevicePolicyTests {
    private static let engine = ReservedPaths([
        .init("/run/docker.sock", "the socket of the engine"),
        .init("/srv/engine", "the storage of the engine"),
    ])
    private let files = Links(links: [
        "/var/run": "/run", "/srv/link": "/etc", "/mnt/root": "/", "/mnt/up": "/srv/data/deep",
        "/srv/device": "/dev/sda", "/data/engine": "/srv/engine",
    ])

    private func rule(
        _ policy: DevicePolicy = .default, _ facts: ContainerFacts = ContainerFacts(),
        _ change: (inout ContainerSpec) -> Void
    ) -> String? {
        var spec = ContainerSpec(image: ImageName(repository: "apps/web", tag: "1"), name: "web")
        change(&spec)
        return refusal { () throws(RuntimeError) in try policy.check(spec, facts, on: files) }
    }

    private func bind(
        _ path: String, _ policy: DevicePolicy = .default,
        reserved: ReservedPaths = Self.engine
    ) -> String? {
        rule(policy, ContainerFacts(reserved: reserved)) {
            $0.volumes = [.init(name: path, mountPoint: "/x")]
        }
    }

    @Test(
        "Folders for data may be bound",
        arguments: [
            "/mnt", "/mnt/", "//mnt//x", "/srv/data", "/data", "/mnt/a b", "/mnt/x/../y",
            "/media/x", "/mnt/up", "/srv/data/../data", "/mnt/./x",
        ])
    func boundData(_ path: String) {
        #expect(bind(path) == nil)
    }

    @Test(
        "What gives the device away may not, whatever it is called",
        arguments: [
            "/", "//", "/.", "/mnt/..", "/etc", "/etc/", "//etc", "/etc/passwd", "/mnt/../etc",
            "/mnt/./../etc/x", "/tmp", "/tmp/tmux-0/default", "/var/tmp", "/dev/shm", "/var",
            "/var/", "/var/lib", "/var/lib/docker", "/run",
            "/run/docker.sock", "/var/run", "/var/run/docker.sock", "/proc", "/proc/1/root",
            "/sys", "/dev", "/dev/sda", "/boot", "/root/.ssh", "/usr/bin", "/lib/modules",
            "/lib64", "/srv/link", "/srv/link/shadow", "/mnt/root", "/mnt/root/etc",
            "/mnt/up/../../../etc",
        ])
    func boundDevice(_ path: String) {
        #expect(bind(path)?.hasPrefix("hostPaths") == true)
    }

    @Test("The places of the engine and of containerz are denied even if the policy allows them")
    func reservedPlaces() throws {
        let open = try policy(#"{"hostPaths": {"allow": ["/"], "deny": []}}"#)
        #expect(bind("/etc/ssl", open) == nil)
        for path in [
            "/run/docker.sock", "/run", "/var/run", "/", "/srv", "/srv/engine/overlay2",
            "/data/engine", "/var/run/docker.sock", "/etc/containerz", "/etc/containerz/tls",
            "/run/containerz/runtime.sock", "/var/lib/containerz/updates", "/var/lib",
            "/var/lib/containerz-upgrade", "/var/cache/containerz", "/var/lib/containerzd",
        ] {
            #expect(bind(path, open) == "hostPaths.deny", "\(path)")
        }
    }

    /// To Swift a slash with a combining character after it is one character, and no slash.
    @Test(
        "Slashes count byte by byte",
        arguments: [
            "/data/secret/\u{301}x/../key", "/data/secret/\u{301}x", "/data/x/..//secret/\u{301}",
            "/\u{301}x/../data/secret", "/etc/\u{301}x/../data", "/dev/\u{FE0F}/../../etc",
        ])
    func combiningCharacters(_ path: String) throws {
        let some = try policy(#"{"hostPaths": {"allow": ["/data"], "deny": ["/data/secret"]}}"#)
        #expect(bind(path, some)?.hasPrefix("hostPaths") == true)
        #expect(FileSystem().resolve(path).utf8.first == UInt8(ascii: "/"))
    }

    @Test("Two spellings of one letter are two folders")
    func spellings() throws {
        let some = try policy(#"{"hostPaths": {"allow": ["/data/\u00e9"]}}"#)
        #expect(bind("/data/\u{E9}/x", some) == nil)
        #expect(bind("/data/e\u{301}/x", some) == "hostPaths")
    }

    @Test("What is in no allowed folder may not be bound")
    func elsewhere() throws {
        #expect(bind("/home/admin") == "hostPaths")
        #expect(bind("/tmpfoo") == "hostPaths")
        #expect(bind("/opt/vendor") == "hostPaths")
        let narrow = try policy(
            #"{"hostPaths": {"allow": ["/opt/app"], "deny": ["/opt/app/keys"]}}"#)
        #expect(bind("/opt/app/data", narrow) == nil)
        #expect(bind("/opt/app/keys", narrow) == "hostPaths.deny")
        #expect(bind("/opt/app/keys/x", narrow) == "hostPaths.deny")
        // The keys would be in it.
        #expect(bind("/opt/app", narrow) == "hostPaths.deny")
        #expect(bind("/tmp", narrow) == "hostPaths")
    }

    @Test(
        "Capabilities in any spelling",
        arguments: [
            ("chown", nil), ("CAP_NET_BIND_SERVICE", nil), ("cap_kill", nil),
            ("NET_RAW", "capabilities"), ("mknod", "capabilities"),
            ("SYS_ADMIN", "capabilities"), ("cap_sys_admin", "capabilities"),
            ("CAP_SYS_MODULE", "capabilities"), ("sys_ptrace", "capabilities"),
            ("ALL", "capabilities"), ("cap_all", "capabilities"), ("NET_ADMIN", "capabilities"),
            ("SYS_RAWIO", "capabilities"), ("BPF", "capabilities"), ("nonsense", "capabilities"),
        ] as [(String, String?)])
    func capabilities(_ name: String, _ refusal: String?) {
        #expect(rule { $0.capabilities.add = ["CHOWN", name] } == refusal)
        #expect(rule { $0.capabilities.remove = [name] } == nil)
    }

    @Test("A container has the default capabilities, without what it removes, and what it adds")
    func ownedCapabilities() throws {
        func owned(
            _ policy: DevicePolicy, add: [String] = [], remove: [String] = []
        ) -> Set<String> {
            var spec = ContainerSpec()
            spec.capabilities = .init(add: add, remove: remove)
            return policy.capabilities(of: spec)
        }
        let built = DevicePolicy.default
        #expect(owned(built).isDisjoint(with: ["NET_RAW", "MKNOD", "SYS_ADMIN"]))
        #expect(owned(built).contains("CHOWN"))
        #expect(owned(built, remove: ["cap_chown"]) == owned(built).subtracting(["CHOWN"]))
        #expect(owned(built, add: ["KILL"], remove: ["ALL"]) == ["KILL"])
        #expect(owned(built, add: ["kill"], remove: ["KILL"]).contains("KILL"))
        #expect(owned(built, remove: ["all"]) == [])
        #expect(owned(built, add: ["ALL"]) == ["ALL"])
        let some = try policy(#"{"defaultCapabilities": ["CAP_NET_RAW"]}"#)
        #expect(owned(some) == ["NET_RAW"])
        #expect(some.capabilities == built.capabilities)
    }

    @Test("A refusal names the entry that would allow it")
    func remedies() throws {
        func text(_ policy: DevicePolicy, _ change: (inout ContainerSpec) -> Void) -> String {
            var spec = ContainerSpec(image: ImageName(repository: "apps/web", tag: "1"))
            change(&spec)
            do {
                try policy.check(spec, ContainerFacts(), on: files)
                return "allowed"
            } catch {
                return "\(error)"
            }
        }
        let built = DevicePolicy.default
        for (change, remedy) in [
            ({ $0.network = "host" }, #"add "host" to networks"#),
            ({ $0.capabilities.add = ["NET_RAW"] }, #"add "NET_RAW" to capabilities"#),
            ({ $0.devices = [.init(source: "/dev/sda")] }, #"add "/dev/sda" to devices"#),
            (
                { $0.volumes = [.init(name: "/opt/x", mountPoint: "/x")] },
                #"add "/opt/x" to hostPaths.allow"#
            ),
            (
                { $0.volumes = [.init(name: "/etc/x", mountPoint: "/x")] },
                #"remove "/etc" from hostPaths.deny"#
            ),
        ] as [((inout ContainerSpec) -> Void, String)] {
            #expect(text(built, change).contains(remedy))
        }
        #expect(
            text(try policy(#"{"ports": []}"#)) { $0.ports = [.init(internal: 1, external: 80)] }
                .contains(#"add "80" to ports"#))
        #expect(
            text(try policy(#"{"images": {"allow": []}}"#)) { _ in }
                .contains(#"add "apps/web:1" to images.allow"#))
    }

    @Test("ALL only where it is listed")
    func allCapabilities() throws {
        let some = try policy(#"{"capabilities": ["cap_sys_admin"]}"#)
        #expect(rule(some) { $0.capabilities.add = ["SYS_ADMIN"] } == nil)
        #expect(rule(some) { $0.capabilities.add = ["ALL"] } == "capabilities")
        #expect(rule(some) { $0.capabilities.add = ["CHOWN"] } == "capabilities")
        let all = try policy(#"{"capabilities": ["ALL"]}"#)
        #expect(rule(all) { $0.capabilities.add = ["ALL", "SYS_MODULE"] } == nil)
    }

    @Test(
        "Devices by what they are",
        arguments: [
            ("/dev/null", nil), ("/dev/net/tun", nil), ("/dev//null", nil), ("/dev/./zero", nil),
            ("/dev/sda", "devices"), ("/dev/mem", "devices"), ("/dev/kmsg", "devices"),
            ("/dev", "devices"), ("/dev/net", "devices"), ("/dev/null/../sda", "devices"),
            ("/srv/device", "devices"), ("/tmp/null", "devices"), ("null", "devices"),
        ] as [(String, String?)])
    func devices(_ path: String, _ refusal: String?) {
        #expect(rule { $0.devices = [.init(source: path)] } == refusal)
    }

    @Test("Networks, with the engine's default under one name")
    func networks() throws {
        for network in ["", "default", "bridge", "bridged", "none"] {
            #expect(rule { $0.network = network } == nil)
        }
        for network in ["host", "mine", "container:other", "Host"] {
            #expect(rule { $0.network = network } == "networks")
        }
        let some = try policy(#"{"networks": ["bridge", "apps-*"]}"#)
        for network in ["", "default", "bridge", "bridged", "apps-1"] {
            #expect(rule(some) { $0.network = network } == nil, "\(network)")
        }
        for network in ["host", "none", "other"] {
            #expect(rule(some) { $0.network = network } == "networks", "\(network)")
        }
    }

    @Test("Ports in ranges")
    func ports() throws {
        let some = try policy(#"{"ports": ["80", "8000-8999"]}"#)
        for (port, refusal) in [(80, nil), (8000, nil), (8999, nil), (81, "ports"), (22, "ports")]
            as [(UInt16, String?)]
        {
            #expect(rule(some) { $0.ports = [.init(internal: 1, external: port)] } == refusal)
        }
    }

    @Test(
        "Users, however root is written",
        arguments: ["root", "0", "00", "0:0", "+0", "-0", "000:1000", "root:users", "toor", "app"])
    func root(_ user: String) throws {
        let noRoot = try policy(#"{"users": {"deny": ["root"]}}"#)
        #expect(rule(noRoot) { $0.user = user } == "users.deny")
        #expect(rule(noRoot, ContainerFacts(imageUser: user)) { _ in } == "users.deny")
        #expect(rule(noRoot, ContainerFacts(imageUser: user)) { $0.user = "1000" } == nil)
        #expect(rule { $0.user = user } == nil)
    }

    @Test("The image's user counts where none is given, and a group alone means root")
    func imageUser() throws {
        let noRoot = try policy(#"{"users": {"allow": ["app", "1000"], "deny": ["0"]}}"#)
        #expect(rule(noRoot, ContainerFacts(imageUser: "")) { _ in } == "users.deny")
        #expect(rule(noRoot, ContainerFacts(imageUser: "app")) { _ in } == nil)
        #expect(rule(noRoot, ContainerFacts(imageUser: "01000:5")) { _ in } == nil)
        #expect(rule(noRoot, ContainerFacts(imageUser: "app")) { $0.group = "5" } == "users.deny")
        #expect(rule(noRoot, ContainerFacts(imageUser: "1001")) { _ in } == "users")
        #expect(rule(noRoot) { $0.user = "other" } == "users")
    }

    @Test("The group of an image's user does not hide the user")
    func usersOfImages() throws {
        let some = try policy(#"{"users": {"deny": ["root"]}}"#)
        for user in ["root", "0:0", "root:\u{301}x", "0:\u{FE0F}"] {
            #expect(rule(some, ContainerFacts(imageUser: user)) { _ in } == "users.deny")
        }
    }

    @Test("A container without a limit exceeds every limit")
    func limits() throws {
        let some = try policy(#"{"limits": {"memory": 1000, "cpus": 1.5}}"#)
        func limited(_ cpus: Double, _ memory: Int64) -> String? {
            rule(some) { $0.limits = .init(cpus: cpus, hardMemory: memory) }
        }
        #expect(limited(1.5, 1000) == nil)
        #expect(limited(0.1, 1) == nil)
        #expect(limited(1.5, 1001) == "limits")
        #expect(limited(1.6, 1000) == "limits")
        #expect(limited(0, 1000) == "limits")
        #expect(limited(1, 0) == "limits")
        #expect(limited(.nan, 1000) == "limits")
        #expect(limited(-1, -1) == "limits")
    }

    @Test("Images by name, repository and digest")
    func images() throws {
        let digest = Digest(.sha256, [UInt8](repeating: 1, count: 32))
        let other = Digest(.sha256, [UInt8](repeating: 2, count: 32))
        let some = try policy(
            """
            {"images": {"allow": ["apps/*", "docker.io/library/db:1", "\(digest)"],
                        "deny": ["apps/*:latest"]}}
            """)
        func image(_ repository: String, _ tag: String, _ digest: Digest? = other) -> String? {
            refusal { () throws(RuntimeError) in
                try some.check(ImageName(repository: repository, tag: tag), digest)
            }
        }
        #expect(image("apps/web", "1") == nil)
        #expect(image("apps/web/x", "1") == nil)
        #expect(image("apps/web", "latest") == "images.deny")
        #expect(image("db", "1") == nil)
        #expect(image("db", "2") == "images")
        #expect(image("my/apps/web", "1") == "images")
        #expect(image("anything", "1", digest) == nil)
        #expect(image("apps/web", "latest", digest) == "images.deny")
        // Before it is loaded nobody knows what it is.
        #expect(image("anything", "1", nil) == nil)
        let revoked = try policy(#"{"images": {"deny": ["\#(digest)"]}}"#)
        #expect(
            rule(revoked, ContainerFacts(imageDigest: digest)) { _ in } == "images.deny")
        #expect(rule(revoked, ContainerFacts(imageDigest: other)) { _ in } == nil)
    }
}
