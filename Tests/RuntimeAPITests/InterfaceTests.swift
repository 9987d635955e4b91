import FoundationEssentials
import Testing
import Varlink

@testable import RuntimeAPI

@Suite("The interface org.containerz.Runtime")
struct InterfaceTests {
    @Test("A container's specification is read as it was written, and defaults are not written")
    func specification() throws {
        var spec = ContainerSpec(image: ImageName(repository: "a/b", tag: "1"), name: "web")
        func roundTrip() throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let data = try encoder.encode(spec)
            #expect(try JSONDecoder().decode(ContainerSpec.self, from: data) == spec)
            return String(decoding: data, as: UTF8.self)
        }
        #expect(
            try roundTrip() == #"{"image":{"repository":"a/b","tag":"1"},"name":"web"}"#)
        spec.command = ["serve"]
        spec.ports = [.init(internal: 80, external: 8080)]
        spec.environment = ["A": ""]
        spec.volumes = [.init(name: "data", mountPoint: "/data")]
        spec.network = "host"
        spec.capabilities = .init(add: ["CHOWN"])
        spec.restart = .init(.onFailure, attempts: 3)
        spec.user = "web"
        spec.group = "7"
        spec.labels = ["x": "y"]
        spec.limits = .init(cpus: 1.5)
        spec.devices = [.init(source: "/dev/null")]
        spec.location = .all
        _ = try roundTrip()
    }

    @Test("A specification that was written with all of its fields is still read")
    func olderSpecification() throws {
        let text = #"""
            {"capabilities":{"add":[],"remove":[]},"command":[],"devices":[],"environment":{},
            "group":"","image":{"repository":"apps\/web","tag":"1"},"labels":{},
            "limits":{"cpus":0,"hardMemory":0,"softMemory":0},"location":"primary","name":"web",
            "network":"","ports":[],"restart":{"attempts":0,"policy":"never"},"user":"",
            "volumes":[]}
            """#
        #expect(
            try JSONDecoder().decode(ContainerSpec.self, from: Data(text.utf8))
                == ContainerSpec(image: ImageName(repository: "apps/web", tag: "1"), name: "web"))
    }

    @Test("Every error of the library is declared, and every declared one is known")
    func errors() {
        let declared = Runtime.interfaceText.split(separator: "\n")
            .filter { $0.hasPrefix("error ") }
            .map { String($0.dropFirst("error ".count).prefix { $0.isLetter }) }
        #expect(Set(declared) == Set(RuntimeError.Name.allCases.map(\.rawValue)))
    }

    @Test(
        "Errors come back as they were sent",
        arguments: everyError)
    func roundTrip(_ error: RuntimeError) throws {
        let data = try JSONEncoder().encode(error)
        let back = try JSONDecoder().decode(
            Envelope.self, from: data, configuration: error.errorName)
        #expect(back.error == error)
    }

    @Test("None is left out here")
    func complete() {
        #expect(Set(Self.everyError.map(\.wireName)) == Set(RuntimeError.Name.allCases))
    }

    private static let everyError: [RuntimeError] = [
        .imageNotFound(ImageName(repository: "a/b", tag: "1")),
        .imageInUse(ImageName(repository: "a/b", tag: "1"), container: "c"),
        .containerNotFound(name: "n"), .containerRunning(name: "n"), .containerExists(name: "n"),
        .portInUse(8080), .networkNotFound("n"), .volumeNotFound("v"), .volumeExists("v"),
        .volumeInUse("v", container: "c"), .pluginNotFound("p"), .pluginExists("p"),
        .pluginInUse("p", reason: "r"), .pluginFailed("p", reason: "r"),
        .notSupported(reason: "r"), .pathNotFound("/x"), .driverNotFound("d"),
        .invalidArgument(field: "f", reason: "r"), .notPermitted(rule: "u", reason: "r"),
        .restartPolicyRejected(reason: "r"), .userRejected(user: "u", reason: "r"),
        .startFailed(name: "n", reason: "r"), .updateInProgress(name: "n"),
        .updateFailed(name: "n", reason: "r"), .stopFailed(name: "n", reason: "r"),
        .loadFailed(reason: "r"), .insufficientStorage(reason: "r"),
        .stillNeeded("o", reason: "r"), .engineUnavailable(reason: "r"),
        .engineFailed(reason: "r"),
    ]

    private struct Envelope: DecodableWithConfiguration {
        let error: RuntimeError?

        init(from decoder: any Decoder, configuration name: String) throws {
            error = try RuntimeError(errorName: name, from: decoder)
        }
    }
}
