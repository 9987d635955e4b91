import FoundationEssentials
import JSON
import RuntimeAPI
import Testing

@testable import DevicePolicy

@Suite("The policy file")
struct PolicyFileTests {
    @Test("What it does not say is built in")
    func defaults() throws {
        #expect(try policy("{}") == .default)
        #expect(
            try policy(#"{"images": {}, "comment": "x", "users": {"comment": "y"}}"#) == .default)
        let one = try policy(#"{"hostPaths": {"allow": ["/srv/x/"]}}"#)
        #expect(one.hostPaths.allow.map(\.description) == ["/srv/x"])
        #expect(one.hostPaths.deny == DevicePolicy.default.hostPaths.deny)
        #expect(one.capabilities == DevicePolicy.default.capabilities)
    }

    @Test("The built-in policy as a file is the built-in policy")
    func document() throws {
        #expect(try policy(DevicePolicy.default.document.text) == .default)
        let full = try policy(
            """
            {"images": {"allow": ["a", "sha256:\(String(repeating: "ab", count: 32))"],
             "deny": ["b:1"]}, "ports": ["1", "2-3"], "limits": {"memory": 1, "cpus": 0.5},
             "signatures": [{"images": ["*"], "keys": ["/k.pem"], "comment": "c"}],
             "plugins": {"allow": true}, "foreign": true}
            """)
        #expect(try policy(full.document.text) == full)
        #expect(full.keyFiles == ["/k.pem"])
        #expect(full.allowsPlugins && full.allowsForeign)
    }

    @Test("The packaged file is the built-in policy")
    func packaged() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try Data(contentsOf: URL(filePath: "/\(root)/packaging/etc/policy.json"))
        #expect(try DevicePolicy(parsing: Array(file)) == .default)
    }

    @Test("The manual's example is a policy")
    func example() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(
            decoding: try Data(contentsOf: URL(filePath: "/\(root)/man/containerz-policy.5")),
            as: UTF8.self)
        let example = page.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { $0 != ".SH EXAMPLE" }.drop { $0 != "{" }.prefix { $0 != ".fi" }
            .joined(separator: "\n").replacing("\\-", with: "-")
        let read = try policy(example)
        #expect(!read.signatures.isEmpty && read.limits.memory != nil)
    }

    @Test(
        "What cannot be meant is said, and where",
        arguments: [
            ("", "it is not JSON"),
            ("[]", "it is not a JSON object"),
            (#"{"image": {}}"#, "image is not known"),
            (#"{"images": {"alow": []}}"#, "images.alow is not known"),
            (#"{"images": []}"#, "images is not an object"),
            (#"{"images": {"allow": "*"}}"#, "images.allow is not a list"),
            (#"{"images": {"allow": [1]}}"#, "images.allow[0] is not a string"),
            (#"{"images": {"allow": ["*", "sha256:12"]}}"#, "images.allow[1] could never match"),
            (#"{"images": {"allow": ["a@sha256:x"]}}"#, "images.allow[0] could never match"),
            (#"{"hostPaths": {"deny": ["etc"]}}"#, "hostPaths.deny[0] could never match"),
            (#"{"hostPaths": {"allow": ["/srv/../etc"]}}"#, "hostPaths.allow[0] could never match"),
            (#"{"devices": ["null"]}"#, "devices[0] could never match"),
            (#"{"devices": ["/dev//null"]}"#, "devices[0] could never match"),
            (#"{"capabilities": ["SYS_ADMlN"]}"#, "capabilities[0] is no capability"),
            (#"{"ports": [80]}"#, "ports[0] is not a string"),
            (#"{"ports": ["90-80"]}"#, "ports[0] is no port"),
            (#"{"ports": ["0"]}"#, "ports[0] is no port"),
            (#"{"ports": ["1-2-3"]}"#, "ports[0] is no port"),
            (#"{"ports": [""]}"#, "ports[0] is no port"),
            (#"{"ports": ["70000"]}"#, "ports[0] is no port"),
            (#"{"users": {"deny": [""]}}"#, "users.deny[0] could never match"),
            (#"{"limits": {"memory": "1g"}}"#, "limits.memory is not an integer"),
            (#"{"limits": {"memory": 0}}"#, "limits.memory is not a number of bytes"),
            (#"{"limits": {"cpus": -1}}"#, "limits.cpus is not a number above 0"),
            (#"{"limits": {"cpu": 1}}"#, "limits.cpu is not known"),
            (#"{"plugins": true}"#, "plugins is not an object"),
            (#"{"plugins": {"allow": 1}}"#, "plugins.allow is neither true nor false"),
            (#"{"signatures": {}}"#, "signatures is not a list"),
            (#"{"signatures": [{"keys": ["/k"]}]}"#, "signatures[0].images has to say"),
            (#"{"signatures": [{"images": ["*"]}]}"#, "signatures[0].keys has to name"),
            (
                #"{"signatures": [{"images": ["*"], "keys": ["k"]}]}"#,
                "signatures[0].keys[0] is not an absolute path"
            ),
            (#"{"foreign": "yes"}"#, "foreign is neither true nor false"),
            (#"{"comment": 1}"#, "comment is not a string"),
        ])
    func malformed(_ text: String, _ message: String) {
        let failure = #expect(throws: JSONObjectReader.Failure.self) { try policy(text) }
        #expect(failure?.description.hasPrefix(message) == true, "\(String(describing: failure))")
    }
}

@Suite("What a policy says of volumes and the rest")
struct VolumePolicyTests {
    private func volume(
        _ options: [String: String], driver: String = "local", _ policy: DevicePolicy = .default
    ) -> String? {
        refusal { () throws(RuntimeError) in
            try policy.check(
                VolumeSpec(driver: driver, options: options),
                EnginePaths(["/run/docker.sock", "/srv/engine"]), on: Links())
        }
    }

    @Test("Binds are host paths, however mount(8) may be told to bind")
    func binds() {
        #expect(volume([:]) == nil)
        for option in ["bind", "rbind", "ro,bind", "bind=x", "\"bind\""] {
            #expect(volume(["o": option, "type": "none", "device": "/tmp/x"]) == nil)
            #expect(
                volume(["o": option, "type": "none", "device": "/etc"]) == "hostPaths.deny",
                "\(option)")
            #expect(
                volume(["o": option, "type": "tmpfs", "device": "/"]) == "hostPaths.deny",
                "\(option)")
        }
    }

    @Test("Other mounts by their type and device")
    func mounts() throws {
        #expect(volume(["type": "tmpfs", "device": "tmpfs", "o": "size=1m"]) == nil)
        #expect(volume(["type": "ext4", "device": "/dev/sda1"]) == "mountTypes")
        #expect(volume(["device": "/dev/sda1"]) == "mountTypes")
        #expect(volume(["type": "overlay", "device": "x", "o": "lowerdir=/"]) == "mountTypes")
        #expect(volume(["type": "proc", "device": "x"]) == "mountTypes")
        let some = try policy(#"{"mountTypes": ["ext4"], "devices": ["/dev/sdb*"]}"#)
        #expect(volume(["type": "ext4", "device": "/dev/sdb1"], some) == nil)
        #expect(volume(["type": "ext4", "device": "/dev/sda1"], some) == "devices")
    }

    @Test("Drivers")
    func drivers() throws {
        #expect(volume([:], driver: "other") == nil)
        let some = try policy(#"{"volumeDrivers": ["local"]}"#)
        #expect(volume([:], driver: "other", some) == "volumeDrivers")
    }

    @Test("Volumes that exist are looked at like volumes to be, and have to be ours")
    func existing() throws {
        func mounting(_ options: [String: String], isOwn: Bool) -> String? {
            refusal { () throws(RuntimeError) in
                try DevicePolicy.default.check(
                    ContainerSpec(),
                    ContainerFacts(volumes: [
                        KnownVolume(
                            Volume(name: "v", driver: "local", options: options), isOwn: isOwn)
                    ]), on: Links())
            }
        }
        #expect(mounting([:], isOwn: true) == nil)
        #expect(mounting([:], isOwn: false) == "ownership")
        #expect(mounting(["o": "bind", "device": "/"], isOwn: true) == "hostPaths.deny")
    }

    @Test("Plugins and what is not ours only where a policy says so")
    func rest() throws {
        #expect(refusal(DevicePolicy.default.checkPlugins) == "plugins")
        #expect(refusal(try policy(#"{"plugins": {"allow": true}}"#).checkPlugins) == nil)
        func foreign(_ policy: DevicePolicy) -> String? {
            refusal { () throws(RuntimeError) in try policy.checkForeign("x") }
        }
        #expect(foreign(.default) == "ownership")
        #expect(foreign(try policy(#"{"foreign": true}"#)) == nil)
    }
}
