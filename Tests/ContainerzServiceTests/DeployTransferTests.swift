import FoundationEssentials
import GNOI
import SwiftProtobuf
import Testing

@testable import ContainerzService

struct DeployTransferTests {
    private typealias Request = Gnoi_Containerz_DeployRequest

    private func start(_ size: UInt64) -> Request { .with { $0.imageTransfer.imageSize = size } }
    private func content(_ count: Int) -> Request { .with { $0.content = Data(count: count) } }
    private let end = Request.with { $0.imageTransferEnd = .init() }

    private func actions(_ requests: [Request]) throws -> [DeployTransfer.Action] {
        var transfer = DeployTransfer.awaitingTransfer
        return try requests.map { try transfer.receive($0) }
    }

    @Test func aTransferFromBeginToEnd() throws {
        #expect(
            try actions([start(5), content(3), content(0), content(2), content(0), end])
                == [
                    .begin, .pass(received: 3), .pass(received: 3), .pass(received: 5),
                    .pass(received: 5), .finish,
                ])
    }

    @Test func whatIsOutOfOrderOrOutOfSize() {
        for requests in [
            [content(1)], [end], [Request()], [start(0)], [start(5), start(5)],
            [start(5), Request()], [start(5), content(6)], [start(5), content(5), content(1)],
            [start(5), content(4), end], [start(5), end], [start(1), content(1), end, end],
            [start(1), content(1), end, content(0)],
        ] {
            #expect(throws: RequestError.self) { try actions(requests) }
        }
    }

    @Test func aStreamMayEndOnlyWhenAllHasCome() throws {
        var transfer = DeployTransfer.awaitingTransfer
        #expect(throws: RequestError.self) { try transfer.endOfStream() }
        _ = try transfer.receive(start(1))
        #expect(throws: RequestError.self) { try transfer.endOfStream() }
        _ = try transfer.receive(content(1))
        #expect(throws: RequestError.self) { try transfer.endOfStream() }
        _ = try transfer.receive(end)
        try transfer.endOfStream()
    }
}
