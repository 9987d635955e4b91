import GNOI
import GRPCCore
import RuntimeAPI
import SwiftProtobuf
import Testing

@testable import ContainerzService

struct RequestDeserializerTests {
    private func deserialize<Request: SwiftProtobuf.Message & LimitedRequest>(
        _ request: Request
    ) throws -> Request {
        let bytes: [UInt8] = try request.serializedBytes()
        return try RequestDeserializer<Request>().deserialize(bytes)
    }

    @Test func whatIsWithinTheLimitsIsDecoded() throws {
        let request = Gnoi_Containerz_StartContainerRequest.with {
            $0.imageName = "a"
            $0.environment = ["a": String(repeating: "x", count: 30_000)]
        }
        #expect(try deserialize(request) == request)
    }

    private func refusedField(of request: some SwiftProtobuf.Message & LimitedRequest) -> String? {
        do {
            _ = try deserialize(request)
            return nil
        } catch {
            guard case RuntimeAPI.RuntimeError.invalidArgument(let field, let reason) = error,
                reason.contains(" bytes in the request; the maximum is ")
            else { return "\(error)" }
            return field
        }
    }

    @Test func whatIsTooLargeIsRefusedByTheFieldThatTakesMost() {
        let many = (0..<100_000).map { "\($0)" }
        #expect(
            refusedField(
                of: Gnoi_Containerz_ListContainerRequest.with {
                    $0.filter = [
                        .with {
                            $0.key = "name"
                            $0.value = many
                        }
                    ]
                }) == "filter")
        #expect(
            refusedField(
                of: Gnoi_Containerz_StartContainerRequest.with {
                    $0.imageName = "a"
                    $0.environment = ["a": String(repeating: "x", count: 10_000)]
                    $0.labels = Dictionary(uniqueKeysWithValues: many.map { ($0, "") })
                }) == "labels")
        #expect(
            refusedField(
                of: Gnoi_Containerz_StopContainerRequest.with {
                    $0.instanceName = String(repeating: "x", count: 20_000)
                }) == "instance_name")
    }

    @Test(arguments: [
        [UInt8](repeating: 0xFF, count: 300_000), [UInt8](repeating: 0, count: 300_000),
        [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F] + [UInt8](repeating: 1, count: 300_000),
    ])
    func whatIsMalformedAndTooLargeIsRefused(bytes: [UInt8]) {
        #expect(throws: RuntimeAPI.RuntimeError.self) {
            try RequestDeserializer<Gnoi_Containerz_StopContainerRequest>().deserialize(bytes)
        }
    }
}
