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
             "defaultCapabilities": [], "newPrivileges": {"allow": true}, "mountOptions": ["fsc"],
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
            (#"{"defaultCapabilities": ["X"]}"#, "defaultCapabilities[0] is no capability"),
            (#"{"newPrivileges": true}"#, "newPrivileges is not an object"),
            (#"{"newPrivileges": {"alow": true}}"#, "newPrivileges.alow is not known"),
            (#"{"mountOptions": ["a,b"]}"#, "mountOptions[0] could never match"),
            (#"{"mountOptions": ["size=1"]}"#, "mountOptions[0] could never match"),
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
                ReservedPaths([
                    .init("/run/docker.sock", "the socket of the engine"),
                    .init("/srv/engine", "the storage of the engine"),
                ]), on: Links())
        }
    }

    @Test("Binds are host paths, however mount(8) may be told to bind")
    func binds() {
        #expect(volume([:]) == nil)
        for option in ["bind", "rbind", "ro,bind", "bind=x", "\"bind\"", "Xbind", "bind "] {
            #expect(
                volume(["o": option, "type": "none", "device": "/etc"]) == "hostPaths.deny",
                "\(option)")
            #expect(
                volume(["o": option, "type": "tmpfs", "device": "/"]) == "hostPaths.deny",
                "\(option)")
        }
        for option in ["bind", "rbind", "ro,bind,nosuid,nodev,noexec", "bind,defaults,noatime"] {
            for type in ["none", "", "bind"] {
                #expect(volume(["o": option, "type": type, "device": "/srv/x"]) == nil)
            }
        }
    }

    @Test(
        "Options that are not known to be harmless are refused by name",
        arguments: [
            "X-mount.subdir=../../../etc", "x-mount.mkdir", "X-mount.idmap=b:0:1:1", "loop",
            "loop=/dev/loop0", "helper=/bin/sh", "uhelper=x", "shared", "rshared", "slave",
            "rslave", "private", "rprivate", "unbindable", "runbindable", "remount", "move", "suid",
            "dev", "exec", "user", "users", "owner", "group", "offset=1", "sizelimit=1", "verity.x",
            "context=x", "fscontext=x", "lowerdir=/etc", "upperdir=/etc", "subvol=/etc", "", " ro",
            "RO", "bind=x", "\"bind\"", "size=1", "addr=127.0.0.1", "comment=x", "_netdev",
            "encryption=x", "nofail", "\\054X-mount.subdir=x", "ro\u{0}X", "mode=/x",
        ])
    func refusedOptions(_ option: String) {
        #expect(volume(["o": "bind,\(option)", "device": "/srv/x"]) == "mountOptions")
        #expect(volume(["o": "\(option),bind", "device": "/srv/x"]) == "mountOptions")
        if option != "size=1", !option.contains("bind") {
            #expect(
                volume(["o": "\(option),ro", "type": "tmpfs", "device": "tmpfs"])
                    == "mountOptions")
        }
    }

    @Test("Options by type, and those that a policy adds")
    func options() throws {
        for option in ["size=64m", "size=50%", "mode=1777,uid=1,gid=2", "nr_inodes=1k", "ro"] {
            #expect(volume(["o": option, "type": "tmpfs", "device": "tmpfs"]) == nil)
        }
        for option in ["size=64m,X-mount.subdir=x", "size=", "size", "size=1 ", "mode=1,suid"] {
            #expect(volume(["o": option, "type": "tmpfs", "device": "tmpfs"]) == "mountOptions")
        }
        let nfs = try policy(#"{"mountTypes": ["nfs"], "mountOptions": ["fsc"]}"#)
        let share = ["type": "nfs", "device": ":/export"]
        for option in ["addr=192.0.2.1,vers=4.2,soft,nolock", "fsc", "addr=2001:db8::1,fsc"] {
            #expect(volume(share.merging(["o": option]) { $1 }, nfs) == nil, "\(option)")
        }
        #expect(
            volume(share.merging(["o": "addr=x,X-mount.subdir=y"]) { $1 }, nfs) == "mountOptions")
        #expect(mounting("bind,loop", "/srv/x") == "mountOptions")
    }

    /// The refusal of an existing volume of ours that a container is to mount.
    private func mounting(_ options: String, _ device: String) -> String? {
        let volume = Volume(
            name: "v", driver: "local", options: ["o": options, "type": "none", "device": device])
        return refusal { () throws(RuntimeError) in
            try DevicePolicy.default.check(
                ContainerSpec(),
                ContainerFacts(volumes: [KnownVolume(volume, isOwn: true)]), on: Links())
        }
    }

    @Test("A volume is bound by a path without links, which the engine follows at each mount")
    func linkedVolumes() {
        let files = Links(links: ["/srv/link": "/srv/data"])
        for (device, isAllowed) in [
            ("/srv/data", true), ("/srv/data/", true), ("/srv//data", true), ("/srv/link", false),
            ("/srv/link/x", false), ("/srv/x/../data", false),
        ] {
            let refused = refusal { () throws(RuntimeError) in
                try DevicePolicy.default.check(
                    VolumeSpec(driver: "local", options: ["o": "bind", "device": device]),
                    ReservedPaths(), on: files)
            }
            #expect((refused == nil) == isAllowed, "\(device)")
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
