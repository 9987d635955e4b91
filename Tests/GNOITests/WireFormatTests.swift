import FoundationEssentials
import GNOI
import GRPCCore
import SwiftProtobuf
import Testing

/// The bytes that other people's clients send and expect, written out by hand.
@Suite struct WireFormatTests {
    @Test func aDeployOpensWithItsTransfer() throws {
        let request = Gnoi_Containerz_DeployRequest.with {
            $0.imageTransfer.name = "a"
            $0.imageTransfer.tag = "b"
            $0.imageTransfer.imageSize = 300
            $0.imageTransfer.isPlugin = true
        }
        #expect(
            try bytes(request) == [
                0x0A, 11, 0x0A, 1, 0x61, 0x12, 1, 0x62, 0x18, 0xAC, 0x02, 0x28, 1,
            ])
    }

    @Test func contentIsFieldTwo() throws {
        let request = Gnoi_Containerz_DeployRequest.with { $0.content = Data([7, 8]) }
        #expect(try bytes(request) == [0x12, 2, 7, 8])
    }

    @Test func emptyContentIsStillContent() throws {
        let request = try Gnoi_Containerz_DeployRequest(serializedBytes: [0x12, 0] as [UInt8])
        #expect(request.request == .content(Data()))
    }

    @Test func progressCountsBytesInFieldOne() throws {
        let response = Gnoi_Containerz_DeployResponse.with {
            $0.imageTransferProgress.bytesReceived = 1
        }
        #expect(try bytes(response) == [0x12, 2, 0x08, 1])
    }

    @Test func unknownFieldsAreKept() throws {
        let sent: [UInt8] = [0x0A, 1, 0x61, 0xF8, 0x07, 1]
        #expect(try bytes(Gnoi_Containerz_LogRequest(serializedBytes: sent)) == sent)
    }

    @Test func theServiceIsKnownByItsPublicName() {
        typealias Method = Gnoi_Containerz_Containerz.Method
        #expect(
            Method.Deploy.descriptor.fullyQualifiedMethod == "gnoi.containerz.Containerz/Deploy")
        #expect(Set(Method.descriptors.map(\.method)).count == 17)
    }

    private func bytes(_ message: some Message) throws -> [UInt8] {
        try message.serializedBytes()
    }
}
