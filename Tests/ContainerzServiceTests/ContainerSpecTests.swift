import GNOI
import RuntimeAPI
import SwiftProtobuf
import Testing

@testable import ContainerzService

struct ContainerSpecTests {
    private typealias Request = Gnoi_Containerz_StartContainerRequest

    @Test func everyField() throws {
        let request = Request.with {
            $0.imageName = "apps/web"
            $0.tag = "1.2"
            $0.cmd = "serve 'a b'"
            $0.instanceName = "web"
            $0.ports = [
                .with {
                    $0.internal = 80
                    $0.external = 8080
                }
            ]
            $0.environment = ["A": "b"]
            $0.volumes = [
                .with {
                    $0.name = "v"
                    $0.mountPoint = "/v"
                    $0.readOnly = true
                }
            ]
            $0.network = "host"
            $0.cap.add = ["NET_ADMIN"]
            $0.cap.remove = ["ALL"]
            $0.restart.policy = .onFailure
            $0.restart.attempts = 3
            $0.runAs.user = "u"
            $0.runAs.group = "g"
            $0.labels = ["l": "m"]
            $0.limits.maxCpu = 1.5
            $0.limits.softMemBytes = 1
            $0.limits.hardMemBytes = 2
            $0.devices = [
                .with {
                    $0.srcPath = "/dev/a"
                    $0.dstPath = "/dev/b"
                    $0.permissions = [.read, .mknod]
                }
            ]
            $0.location = .lAll
        }
        var spec = ContainerSpec(image: ImageName(repository: "apps/web", tag: "1.2"), name: "web")
        spec.command = ["serve", "a b"]
        spec.ports = [.init(internal: 80, external: 8080)]
        spec.environment = ["A": "b"]
        spec.volumes = [.init(name: "v", mountPoint: "/v", readOnly: true)]
        spec.network = "host"
        spec.capabilities = .init(add: ["NET_ADMIN"], remove: ["ALL"])
        spec.restart = .init(.onFailure, attempts: 3)
        spec.user = "u"
        spec.group = "g"
        spec.labels = ["l": "m"]
        spec.limits = .init(cpus: 1.5, softMemory: 1, hardMemory: 2)
        spec.devices = [
            .init(source: "/dev/a", destination: "/dev/b", permissions: [.read, .mknod])
        ]
        spec.location = .all
        #expect(try ContainerSpec(request) == spec)
    }

    @Test func aNameAloneIsNothingButAName() throws {
        #expect(
            try ContainerSpec(.with { $0.instanceName = "web" }) == ContainerSpec(name: "web"))
    }

    @Test func anEmptyTagMeansLatest() throws {
        #expect(try ContainerSpec(.with { $0.imageName = "web" }).image?.tag == "latest")
    }

    @Test func whatCannotBeRight() {
        func isRefused(_ change: (inout Request) -> Void) {
            #expect(throws: RequestError.self) {
                try ContainerSpec(
                    Request.with {
                        $0.imageName = "web"
                        change(&$0)
                    })
            }
        }
        isRefused { $0.imageName = "UPPER" }
        isRefused { $0.tag = "a b" }
        isRefused {
            $0.imageName = ""; $0.tag = "x"
        }
        isRefused { $0.cmd = "'" }
        isRefused { $0.ports = [.with { $0.internal = 65536 }] }
        isRefused { $0.location = .UNRECOGNIZED(9) }
        isRefused { $0.devices = [.with { $0.permissions = [.UNRECOGNIZED(9)] }] }
        #expect(throws: RuntimeError.restartPolicyRejected(reason: "there is no policy 9")) {
            try ContainerSpec(.with { $0.restart.policy = .UNRECOGNIZED(9) })
        }
    }
}
