import RuntimeAPI
import Testing

@testable import ContainerEngine

@Suite("Privileges of processes") struct ProcessPrivilegesTests {
    private func status(_ set: String, _ noNewPrivileges: String) -> String {
        "Name:\tx: y\nUid:\t0\t0\t0\t0\nCapBnd:\t\(set)\nNoNewPrivs:\t\(noNewPrivileges)\n"
    }

    @Test("readsTheBoundingSet")
    func boundingSet() {
        let privileges = ProcessPrivileges(parsing: status("0000000000000801", "1"))
        #expect(privileges?.capabilities == ["CHOWN", "NET_BROADCAST"])
        #expect(privileges?.mayGainMore == false)
        #expect(
            ProcessPrivileges(parsing: status("000001ffffffffff", "0"))?.capabilities
                == [CapabilityName.all])
        #expect(ProcessPrivileges(parsing: status("0", "0"))?.capabilities == [])
        #expect(ProcessPrivileges(parsing: status("0", "0"))?.mayGainMore == true)
        #expect(ProcessPrivileges(parsing: "Name:\tx\n") == nil)
    }

    @Test("knowsEveryCapabilityByItsNumber")
    func names() {
        #expect(Set(ProcessPrivileges.names + [CapabilityName.all]) == CapabilityName.known)
        #expect(ProcessPrivileges.names.firstIndex(of: "SYS_ADMIN") == 21)
        #expect(ProcessPrivileges.names.firstIndex(of: "CHECKPOINT_RESTORE") == 40)
    }

    @Test("readsThisProcess")
    func own() {
        #expect(ProcessPrivileges(ofProcess: 1) != nil)
        #expect(ProcessPrivileges(ofProcess: Int32.max) == nil)
    }
}
