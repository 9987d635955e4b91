import FoundationEssentials
import GNOI
import GRPCCore
import OCI
import SwiftProtobuf
import Testing
import UpgradeAPI

@testable import PackageUpgrade

@Suite struct PackageTransferTests {
    private static let name = "containerzd_1.0_amd64.deb"

    private static func package(_ name: String = name) -> Gnoi_System_SetPackageRequest {
        .with { $0.package.filename = name }
    }

    private static func contents(_ count: Int) -> Gnoi_System_SetPackageRequest {
        .with { $0.contents = Data(repeating: 1, count: count) }
    }

    private static func hash(
        _ method: Gnoi_Types_HashType.HashMethod = .sha256, length: Int = 32
    ) -> Gnoi_System_SetPackageRequest {
        .with {
            $0.hash.method = method
            $0.hash.hash = Data(repeating: 2, count: length)
        }
    }

    private static func outcome(
        _ requests: [Gnoi_System_SetPackageRequest]
    ) -> RPCError.Code? {
        var transfer = PackageTransfer.awaitingPackage
        do throws(RPCError) {
            for request in requests { _ = try transfer.receive(request) }
            try transfer.endOfStream()
            return nil
        } catch {
            return error.code
        }
    }

    @Test func inOrder() throws {
        var transfer = PackageTransfer.awaitingPackage
        let file = try #require(PackageFile(Self.name))
        #expect(try transfer.receive(Self.package()) == .begin(file))
        #expect(try transfer.receive(Self.contents(3)) == .keep)
        #expect(try transfer.receive(Self.contents(0)) == .keep)
        #expect(transfer == .receiving(received: 3))
        let digest = Digest(.sha512, [UInt8](repeating: 2, count: 64))
        #expect(try transfer.receive(Self.hash(.sha512, length: 64)) == .finish(digest))
        try transfer.endOfStream()
    }

    @Test(arguments: [
        [], [contents(1)], [hash()], [package()], [package(), contents(1)],
        [package(), hash()], [package(), package()],
        [package(), contents(1), hash(.md5, length: 16)],
        [package(), contents(1), hash(.unspecified)], [package(), contents(1), hash(length: 31)],
        [package(), contents(1), hash(), hash()], [package(), .init()], [package("../x.deb")],
    ])
    func outOfOrder(_ requests: [Gnoi_System_SetPackageRequest]) {
        #expect(Self.outcome(requests) == .invalidArgument)
    }

    @Test func tooLarge() {
        let piece = Self.contents(PackageTransfer.largestPackage / 2)
        #expect(
            Self.outcome([Self.package(), piece, piece, Self.contents(1)]) == .resourceExhausted)
    }

    @Test func fetchingIsNotImplemented() {
        var request = Self.package()
        request.package.remoteDownload.path = "x"
        #expect(Self.outcome([request]) == .unimplemented)
    }

    @Test(arguments: [
        "cz_1.0_amd64.deb", "containerz-common_1:2.0~rc1+b-1_all.deb", "cz-pull_99_arm64.deb",
    ])
    func fileNames(_ name: String) throws {
        #expect(try #require(PackageFile(name)).description == name)
    }

    @Test(arguments: [
        "", ".deb", "cz.deb", "cz_1.deb", "cz_1_amd64.deb/", "/cz_1_amd64.deb", "../cz_1_amd64.deb",
        "cz_1/../_amd64.deb", "Cz_1_amd64.deb", "-cz_1_amd64.deb", ".cz_1_amd64.deb",
        "cz_1_amd64.deb\n", "cz_\u{301}_amd64.deb", "cz__amd64.deb", "cz_1_amd64_x.deb",
        "cz_1_amd64.deb.sig", "cz_\(String(repeating: "1", count: 200))_amd64.deb",
    ])
    func otherNames(_ name: String) {
        #expect(PackageFile(name) == nil)
    }

    @Test func identifiers() throws {
        let one = UpgradeIdentifier()
        #expect(UpgradeIdentifier(one.description) == one)
        #expect(UpgradeIdentifier() != one)
        for text in ["", "abc", one.description + "0", "../\(one.description.dropFirst(3))"] {
            #expect(UpgradeIdentifier(text) == nil)
        }
    }

    @Test func results() throws {
        let id = UpgradeIdentifier()
        let text = "id=\(id)\nstate=failed\nmessage=E: a=b\npackage=cz 1.0\npackage=cz-pull 2\n"
        let response = try #require(UpgradeResult(parsing: text)).response
        #expect(response.id == "\(id)")
        #expect(response.state == .failed)
        #expect(response.message == "E: a=b")
        #expect(response.packages.map(\.name) == ["cz", "cz-pull"])
        #expect(response.packages.map(\.version) == ["1.0", "2"])
        for text in ["", "id=\(id)", "state=done", "id=x\nstate=done", "id=\(id)\nstate=lost", "x"]
        {
            #expect(UpgradeResult(parsing: text) == nil)
        }
    }
}
