import GRPCCore
import SwiftProtobuf

/// The questions of one stream, and their answers.
struct ReflectionConversation {
    typealias Request = Grpc_Reflection_V1_ServerReflectionRequest
    typealias Response = Grpc_Reflection_V1_ServerReflectionResponse

    private let index: DescriptorIndex
    /// Files that the client has got.
    private var sent: Set<String> = []

    init(_ index: DescriptorIndex) {
        self.index = index
    }

    mutating func answer(_ request: Request) -> Response {
        var response = Response()
        response.validHost = request.host
        response.originalRequest = request
        response.messageResponse = answer(request.messageRequest)
        return response
    }

    private mutating func answer(
        _ question: Request.OneOf_MessageRequest?
    ) -> Response.OneOf_MessageResponse {
        switch question {
        case .fileByFilename(let name):
            return file(name) ?? Self.notFound("there is no file \(name)")
        case .fileContainingSymbol(let symbol):
            return file(index.file(declaring: symbol))
                ?? Self.notFound("nothing is named \(symbol)")
        case .fileContainingExtension(let wanted):
            let (message, number) = (wanted.containingType, wanted.extensionNumber)
            return file(index.file(extending: message, number))
                ?? Self.notFound("there is no extension \(number) of \(message)")
        case .allExtensionNumbersOfType(let message):
            guard let numbers = index.extensionNumbers(of: message) else {
                return Self.notFound("there is no message \(message)")
            }
            return .allExtensionNumbersResponse(
                .with {
                    $0.baseTypeName = message
                    $0.extensionNumber = numbers
                })
        case .listServices:
            return .listServicesResponse(
                .with {
                    $0.service = index.services.map { name in .with { $0.name = name } }
                })
        case nil:
            return Self.error(.invalidArgument, "there is no question that is known here")
        }
    }

    private mutating func file(_ name: String?) -> Response.OneOf_MessageResponse? {
        guard let name, let files = index.files(name, without: &sent) else { return nil }
        return .fileDescriptorResponse(.with { $0.fileDescriptorProto = files })
    }

    private static func notFound(_ text: String) -> Response.OneOf_MessageResponse {
        error(.notFound, text)
    }

    private static func error(
        _ code: Status.Code, _ text: String
    ) -> Response.OneOf_MessageResponse {
        .errorResponse(
            .with {
                $0.errorCode = Int32(code.rawValue)
                $0.errorMessage = text
            })
    }
}
