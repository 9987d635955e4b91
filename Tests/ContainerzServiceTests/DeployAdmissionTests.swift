import GRPCCore
import SystemIO
import Testing

@testable import ContainerzService

@Suite("Room for deploys")
@EventLoop
struct DeployAdmissionTests {
    private let admission = DeployAdmission(maximum: 4)

    @Test("What is reserved is not free")
    func reserved() throws {
        try admission.admit(60, free: 100)
        #expect(throws: RPCError.self) { try admission.admit(60, free: 100) }
        admission.release(60)
        try admission.admit(60, free: 100)
    }

    @Test("Sizes that nobody can have are refused, also where the room is not known")
    func absurd() throws {
        try admission.admit(.max, free: nil)
        #expect(throws: RPCError.self) { try admission.admit(.max, free: nil) }
        #expect(throws: RPCError.self) { try admission.admit(1, free: nil) }
        admission.release(.max)
        try admission.admit(1, free: nil)
    }
}
