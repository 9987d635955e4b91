import FoundationEssentials
import GRPCCore
import GRPCProtobuf
import SwiftProtobuf

/// gRPC's server reflection, v1 and v1alpha, so that clients need no .proto files
/// (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
///
/// It describes what the project's own .proto files define, as protoc compiled them
/// (`make generate`).
public struct ReflectionService: RegistrableRPCService {
    private let index: DescriptorIndex

    /// - Throws: when the descriptors, which are part of the program, are damaged.
    public init() throws {
        index = try DescriptorIndex(Self.descriptors())
    }

    static func descriptors() throws -> Google_Protobuf_FileDescriptorSet {
        try Google_Protobuf_FileDescriptorSet(serializedBytes: PackageResources.descriptors_pb)
    }

    private typealias Method = Grpc_Reflection_V1_ServerReflection.Method.ServerReflectionInfo

    /// The messages of both versions are the same, so one handler serves both.
    private static let methods = [
        Method.descriptor,
        MethodDescriptor(
            service: ServiceDescriptor(
                fullyQualifiedService: "grpc.reflection.v1alpha.ServerReflection"),
            method: Method.descriptor.method, type: .bidirectionalStreaming),
    ]

    public func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        for method in Self.methods {
            router.registerHandler(
                forMethod: method, deserializer: ProtobufDeserializer<Method.Input>(),
                serializer: ProtobufSerializer<Method.Output>()
            ) { [index] request, _ in
                StreamingServerResponse { writer in
                    var conversation = ReflectionConversation(index)
                    for try await question in request.messages {
                        try await writer.write(conversation.answer(question))
                    }
                    return [:]
                }
            }
        }
    }
}
