import FoundationEssentials
import SwiftProtobuf
import Testing

@testable import GRPCReflection

/// What the embedded descriptors answer, without a connection.
@Suite struct ReflectionTests {
    typealias Request = ReflectionConversation.Request
    private typealias File = Google_Protobuf_FileDescriptorProto

    private let index: DescriptorIndex
    static let containerz = "github.com/openconfig/gnoi/containerz/containerz.proto"
    static let types = "github.com/openconfig/gnoi/types/types.proto"
    private static let notFound: Int32 = 5

    init() throws {
        index = try DescriptorIndex(ReflectionService.descriptors())
    }

    @Test func everyServiceOfThePortIsListed() {
        var conversation = ReflectionConversation(index)
        let response = conversation.answer(.with { $0.listServices = "*" })
        #expect(
            response.listServicesResponse.service.map(\.name) == [
                "containerz.upgrade.v1.Upgrades", "gnoi.containerz.Containerz",
                "gnoi.system.System", "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
            ])
    }

    @Test(
        "Symbols are found in their files",
        arguments: [
            ("gnoi.containerz.Containerz", Self.containerz),
            ("gnoi.containerz.Containerz.Deploy", Self.containerz),
            ("gnoi.containerz.DeployRequest", Self.containerz),
            ("gnoi.containerz.DeployRequest.content", Self.containerz),
            ("gnoi.containerz.DeployRequest.request", Self.containerz),
            ("gnoi.containerz.ListContainerResponse.Status", Self.containerz),
            ("gnoi.containerz.ListContainerResponse.RUNNING", Self.containerz),
            ("gnoi.types.gnoi_version", Self.types),
            ("grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"),
            (
                "grpc.reflection.v1alpha.ServerReflection",
                "grpc/reflection/v1alpha/reflection.proto"
            ),
            ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
        ])
    func symbols(_ symbol: String, _ file: String) throws {
        let files = try names(.with { $0.fileContainingSymbol = symbol })
        #expect(files.last == file)
    }

    @Test func aFileComesAfterAllThatItImports() throws {
        let files = try names(.with { $0.fileByFilename = Self.containerz })
        #expect(files.last == Self.containerz)
        #expect(Set(files).count == files.count)
        var seen: Set<String> = []
        for file in try ReflectionService.descriptors().file.sorted(like: files) {
            #expect(seen.isSuperset(of: file.dependency), "\(file.name)")
            seen.insert(file.name)
        }
        #expect(seen == Set(files))
    }

    @Test func whatTheClientHasGotIsNotSentAgain() throws {
        var conversation = ReflectionConversation(index)
        _ = conversation.answer(.with { $0.fileByFilename = Self.types })
        let second = conversation.answer(.with { $0.fileByFilename = Self.containerz })
        let files = try Self.names(second)
        #expect(!files.contains(Self.types) && files.contains(Self.containerz))
        // What it asks for by name it gets.
        let third = conversation.answer(.with { $0.fileByFilename = Self.containerz })
        #expect(try Self.names(third) == [Self.containerz])
    }

    @Test func extensionsAreFoundByWhatTheyExtend() throws {
        let options = "google.protobuf.FileOptions"
        let files = try names(
            .with {
                $0.fileContainingExtension.containingType = options
                $0.fileContainingExtension.extensionNumber = 1002
            })
        #expect(files.last == Self.types)
        let numbers = answer(.with { $0.allExtensionNumbersOfType = options })
            .allExtensionNumbersResponse
        #expect(numbers.baseTypeName == options)
        #expect(numbers.extensionNumber == [1002])
    }

    @Test func aMessageThatNobodyExtendsHasNoNumbers() {
        let message = "gnoi.containerz.DeployRequest"
        let response = answer(.with { $0.allExtensionNumbersOfType = message })
        #expect(response.allExtensionNumbersResponse == .with { $0.baseTypeName = message })
    }

    @Test(
        "What is not there is not found",
        arguments: [
            Request.OneOf_MessageRequest.fileByFilename("containerz.proto"),
            .fileContainingSymbol("gnoi.containerz"), .fileContainingSymbol(""),
            .fileContainingExtension(
                .with {
                    $0.containingType = "google.protobuf.FileOptions"
                    $0.extensionNumber = 1
                }),
            .fileContainingExtension(.with { $0.containingType = "gnoi.containerz.DeployRequest" }),
            .allExtensionNumbersOfType("gnoi.containerz.Containerz"),
        ])
    func notFound(_ question: Request.OneOf_MessageRequest) {
        let request = Request.with {
            $0.host = "switch1"
            $0.messageRequest = question
        }
        let response = answer(request)
        #expect(response.errorResponse.errorCode == Self.notFound)
        #expect(!response.errorResponse.errorMessage.isEmpty)
        #expect(response.originalRequest == request)
        #expect(response.validHost == "switch1")
    }

    @Test func noQuestionIsAnError() {
        #expect(answer(Request()).errorResponse.errorCode == 3)
    }

    private func answer(_ request: Request) -> ReflectionConversation.Response {
        var conversation = ReflectionConversation(index)
        return conversation.answer(request)
    }

    private func names(_ request: Request) throws -> [String] {
        try Self.names(answer(request))
    }

    private static func names(_ response: ReflectionConversation.Response) throws -> [String] {
        try response.fileDescriptorResponse.fileDescriptorProto.map {
            try File(serializedBytes: $0).name
        }
    }
}

extension [Google_Protobuf_FileDescriptorProto] {
    /// Those that have these names, in the names' order.
    fileprivate func sorted(like names: [String]) -> [Element] {
        names.compactMap { name in first { $0.name == name } }
    }
}
