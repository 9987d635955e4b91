import SystemIO
import Testing

@testable import Fleet

@Suite("The targets file")
struct TargetsFileTests {
    private func parse(_ text: String) throws(FleetError) -> [FleetMember] {
        try TargetsFile(Array(text.utf8), named: "fleet", defaultPort: 9339).entries.map(\.member)
    }

    private func problem(_ text: String) -> String? {
        do {
            _ = try parse(text)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("has an address, a name, a server name and labels a line")
    func fields() throws {
        let members = try parse(
            "leaf1.example  name=leaf1 role=leaf\tsite=a=b empty=\n"
                + "10.0.0.2:1234 server-name=leaf2.example\n[fe80::1]:5\nfe80::2\nunix:/x.sock\n")
        #expect(
            members == [
                FleetMember(
                    name: "leaf1", address: .tcp(host: "leaf1.example", port: 9339),
                    labels: ["role": "leaf", "site": "a=b", "empty": ""]),
                FleetMember(
                    name: "10.0.0.2:1234", address: .tcp(host: "10.0.0.2", port: 1234),
                    serverName: "leaf2.example"),
                FleetMember(name: "[fe80::1]:5", address: .tcp(host: "fe80::1", port: 5)),
                FleetMember(name: "fe80::2", address: .tcp(host: "fe80::2", port: 9339)),
                FleetMember(name: "unix:/x.sock", address: .unix(path: "/x.sock")),
            ])
    }

    @Test("has comments, empty lines and the line ends of others")
    func blanks() throws {
        let members = try parse("\u{FEFF}# all\r\n\r\n  a   # name=x\r\n\tb#c name=d\r\n#")
        #expect(members.map(\.name) == ["a", "d"])
        #expect(members.last?.address == .tcp(host: "b#c", port: 9339))
        #expect(try parse("").isEmpty)
    }

    @Test(
        "says where it is wrong",
        arguments: [
            (
                "a\nb:c",
                "fleet:2: 'b:c' is not an address: expected HOST:PORT, [V6]:PORT or unix:PATH"
            ),
            ("\n\na b", "fleet:3: 'b' is not KEY=VALUE"),
            ("a =b", "fleet:1: '=b' is not KEY=VALUE"),
            ("b:\u{301}80", "fleet:1: 'b:\u{301}80' is not an address: it is not ASCII"),
            ("a name=", "fleet:1: name= is empty"),
            ("a name=b name=c", "fleet:1: name= is there twice"),
            ("a server-name=b server-name=c", "fleet:1: server-name= is there twice"),
            ("a x=1 x=1", "fleet:1: the label x is there twice"),
            ("a x=\u{1B}[2J", "fleet:1: there is a control character"),
            ("a x=\u{202E}b", "fleet:1: there is a control character"),
        ])
    func mistakes(text: String, message: String) {
        #expect(problem(text) == message)
    }

    @Test("is UTF-8")
    func encoding() {
        #expect(throws: FleetError("fleet:1: it is not UTF-8")) {
            try TargetsFile([0x61, 0x20, 0x78, 0x3D, 0xFF], named: "fleet", defaultPort: 1)
        }
    }

    @Test("takes a combining mark for no part of what is before it")
    func combiningMarks() throws {
        #expect(try parse("a x=\u{301}").first?.labels == ["x": "\u{301}"])
    }

    @Test("that is not there is named")
    func missing() {
        #expect(throws: FleetError("/nonexistent/x: No such file or directory")) {
            try TargetsFile(path: "/nonexistent/x", defaultPort: 1)
        }
    }
}

@Suite("A roster")
struct FleetRosterTests {
    @Test("has each device once")
    func duplicates() throws {
        var roster = FleetRoster()
        try roster.add(
            FleetMember(name: "a", address: .tcp(host: "h", port: 1)), from: "fleet:1")
        #expect(throws: FleetError("fleet:2: the name a is there already (fleet:1)")) {
            try roster.add(
                FleetMember(name: "a", address: .tcp(host: "i", port: 1)), from: "fleet:2")
        }
        #expect(throws: FleetError("--target: H:1 is there already (fleet:1)")) {
            try roster.add(
                FleetMember(name: "b", address: .tcp(host: "H", port: 1)), from: "--target")
        }
        try roster.add(FleetMember(name: "b", address: .tcp(host: "h", port: 2)), from: "fleet:3")
        #expect(roster.members.map(\.name) == ["a", "b"])
    }
}

@Suite("A selection")
struct MemberSelectorTests {
    private let member = FleetMember(
        name: "leaf1.site", address: .tcp(host: "h", port: 1),
        labels: ["role": "leaf", "none": ""])

    @Test(
        "is by labels and names",
        arguments: [
            ("role=leaf", true), ("role=lea", false), ("role=*", false), ("role=", false),
            ("none=", true), ("other=", false), ("name=leaf1.site", true), ("name=leaf*", true),
            ("name=leaf?.site", true), ("name=[a-k]*", false), ("name=leaf", false),
        ])
    func matches(text: String, expected: Bool) throws {
        let selector = try #require(MemberSelector(text))
        #expect(selector.matches(member) == expected)
        #expect(selector.description == text)
    }

    @Test("needs a label", arguments: ["", "role", "=leaf"])
    func mistakes(text: String) {
        #expect(MemberSelector(text) == nil)
    }
}
