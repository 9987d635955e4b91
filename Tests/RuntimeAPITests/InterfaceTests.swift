import FoundationEssentials
import Testing
import Varlink

@testable import RuntimeAPI

@Suite("The interface org.containerz.Runtime")
struct InterfaceTests {
    @Test("What introspection serves is the file, to the letter")
    func sameText() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/Sources/RuntimeAPI/org.containerz.Runtime.varlink"
        let file = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        #expect(Runtime.interfaceText == file)
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
        arguments: [
            RuntimeError.imageInUse(ImageName(repository: "a/b", tag: "1"), container: "c"),
            .portInUse(8080), .volumeExists("v"), .volumeInUse("v", container: "c"),
            .pathNotFound("/x"), .driverNotFound("d"), .invalidArgument(field: "f", reason: "r"),
            .notPermitted(rule: "u", reason: "r"), .userRejected(user: "u", reason: "r"),
            .insufficientStorage(reason: "r"), .stillNeeded("o", reason: "r"),
        ])
    func roundTrip(_ error: RuntimeError) throws {
        let data = try JSONEncoder().encode(error)
        let back = try JSONDecoder().decode(
            Envelope.self, from: data, configuration: error.errorName)
        #expect(back.error == error)
    }

    private struct Envelope: DecodableWithConfiguration {
        let error: RuntimeError?

        init(from decoder: any Decoder, configuration name: String) throws {
            error = try RuntimeError(errorName: name, from: decoder)
        }
    }
}
