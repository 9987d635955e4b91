import FoundationEssentials
import RuntimeAPI
import Testing

@testable import ContainerEngine

struct CreateDocumentTests {
    private let image = ImageName(repository: "web", tag: "1")

    private func json(_ spec: ContainerSpec) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let document = try CreateDocument(spec, image: image, imageName: "localhost/web:1")
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    private func refusal(_ change: (inout ContainerSpec) -> Void) -> RuntimeError? {
        var spec = ContainerSpec(image: image, name: "web")
        change(&spec)
        do throws(RuntimeError) {
            _ = try CreateDocument(spec, image: image, imageName: "web:1")
            return nil
        } catch {
            return error
        }
    }

    @Test func nothingButAnImage() throws {
        #expect(
            try json(ContainerSpec(image: image))
                == #"{"HostConfig":{"NetworkMode":"bridge","RestartPolicy":{"Name":"no"}},"Image":"localhost/web:1","#
                + #""Labels":{"net.openconfig.containerz.location.actual":"L_PRIMARY","#
                + #""net.openconfig.containerz.location.intended":"L_PRIMARY","#
                + #""net.openconfig.containerz.location.reason":"","#
                + #""org.containerz.image":"web:1"}}"#)
    }

    @Test func everyField() throws {
        var spec = ContainerSpec(image: image, name: "web")
        spec.command = ["serve", "a b"]
        spec.ports = [.init(internal: 80, external: 8080), .init(internal: 80, external: 8081)]
        spec.environment = ["B": "2=3", "A": ""]
        spec.volumes = [
            .init(name: "data", mountPoint: "/data"),
            .init(name: "/tmp", mountPoint: "/x", readOnly: true),
        ]
        spec.network = "bridged"
        spec.capabilities = .init(add: ["net_admin", "CAP_CHOWN"], remove: ["ALL"])
        spec.restart = .init(.onFailure, attempts: 3)
        spec.user = "web"
        spec.group = "7"
        spec.labels = ["x": "y"]
        spec.limits = .init(cpus: 1.5, softMemory: 32 << 20, hardMemory: 64 << 20)
        spec.devices = [.init(source: "/dev/null", permissions: [.write, .read])]
        spec.location = .all
        let text = try json(spec)
        for part in [
            #""Cmd":["serve","a b"]"#, #""Env":["A=","B=2=3"]"#, #""User":"web:7""#,
            #""ExposedPorts":{"80/tcp":{}}"#, #""NetworkMode":"bridge""#,
            #""PortBindings":{"80/tcp":[{"HostPort":"8080"},{"HostPort":"8081"}]}"#,
            #"{"ReadOnly":false,"Source":"data","Target":"/data","Type":"volume"}"#,
            #"{"ReadOnly":true,"Source":"/tmp","Target":"/x","Type":"bind"}"#,
            #""CapAdd":["CAP_NET_ADMIN","CAP_CHOWN"],"CapDrop":["ALL"]"#,
            #""RestartPolicy":{"MaximumRetryCount":3,"Name":"on-failure"}"#,
            #""NanoCpus":1500000000"#, #""Memory":67108864,"MemoryReservation":33554432"#,
            #"{"CgroupPermissions":"rw","PathInContainer":"/dev/null","PathOnHost":"/dev/null"}"#,
            #""net.openconfig.containerz.location.intended":"L_ALL""#, #""x":"y""#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
    }

    @Test func equalPortsOnTheDevicesOwnNetworkAreSimplyTrue() throws {
        var spec = ContainerSpec(image: image)
        spec.network = "host"
        spec.ports = [.init(internal: 60061, external: 60061)]
        let text = try json(spec)
        #expect(!text.contains("PortBindings") && !text.contains("ExposedPorts"))
        #expect(text.contains(#""NetworkMode":"host""#))
    }

    private func field(_ error: RuntimeError?) -> String? {
        switch error {
        case .invalidArgument(let field, _): field
        case .restartPolicyRejected: "restart"
        case .userRejected: "user"
        default: nil
        }
    }

    @Test func whatCannotBeRight() {
        func isRefused(_ name: String, _ change: (inout ContainerSpec) -> Void) {
            #expect(field(refusal(change)) == name)
        }
        isRefused("ports") { $0.ports = [.init(internal: 0, external: 1)] }
        isRefused("ports") { $0.ports = [.init(internal: 1, external: 0)] }
        isRefused("ports") {
            $0.ports = [.init(internal: 1, external: 2), .init(internal: 3, external: 2)]
        }
        isRefused("ports") {
            $0.network = "host"
            $0.ports = [.init(internal: 80, external: 8080)]
        }
        isRefused("ports") {
            $0.network = "none"
            $0.ports = [.init(internal: 80, external: 80)]
        }
        isRefused("volumes") { $0.volumes = [.init(name: "", mountPoint: "/x")] }
        isRefused("volumes") { $0.volumes = [.init(name: "v", mountPoint: "x")] }
        isRefused("volumes") { $0.volumes = [.init(name: "v", mountPoint: "/")] }
        isRefused("volumes") { $0.volumes = [.init(name: "v", mountPoint: "/a/../b")] }
        for target in ["/.", "//", "/dev", "/dev/x", "/proc/sys", "/sys/fs"] {
            isRefused("volumes") { $0.volumes = [.init(name: "v", mountPoint: target)] }
        }
        #expect(refusal { $0.volumes = [.init(name: "v", mountPoint: "/dev/shm")] } == nil)
        isRefused("devices") {
            $0.devices = [.init(source: "/dev/null", destination: "/x/node")]
        }
        isRefused("devices") {
            $0.devices = [.init(source: "/dev/null", destination: "/dev/../x")]
        }
        isRefused("restart") { $0.restart = .init(.always, attempts: 2) }
        isRefused("restart") { $0.restart = .init(.onFailure, attempts: -1) }
        isRefused("limits") { $0.limits.cpus = -1 }
        isRefused("limits") { $0.limits.cpus = .nan }
        isRefused("limits") { $0.limits.cpus = .infinity }
        isRefused("limits") { $0.limits.cpus = 0.001 }
        isRefused("limits") { $0.limits.hardMemory = -1 }
        isRefused("limits") { $0.limits.hardMemory = 1000 }
        isRefused("limits") {
            $0.limits.softMemory = 128 << 20
            $0.limits.hardMemory = 64 << 20
        }
        isRefused("devices") { $0.devices = [.init(source: "dev/null")] }
        isRefused("environment") { $0.environment = ["": "x"] }
        isRefused("environment") { $0.environment = ["A=B": "x"] }
        isRefused("environment") { $0.environment = ["A": "x\0"] }
        isRefused("cap") { $0.capabilities.add = ["NONSENSE"] }
        isRefused("cap") { $0.capabilities.remove = [""] }
        isRefused("user") { $0.user = "a b" }
        isRefused("user") { $0.group = "a:b" }
        isRefused("labels") { $0.labels = ["": "x"] }
        isRefused("labels") {
            $0.labels = ["net.openconfig.containerz.location.intended": "L_BACKUP"]
        }
    }
}
