import FoundationEssentials
import Glibc
import SystemIO
import Testing

@testable import Fleet

@Suite("The state of a rollout")
@EventLoop
struct RolloutStateTests {
    private final class Place {
        let path: String

        init() throws {
            path = "/tmp/fleet-state.\(UInt64.random(in: 0...UInt64.max))"
        }

        deinit { unlink(path) }

        var text: String {
            get throws {
                String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
            }
        }

        func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }
    }

    private let rollout = RolloutIdentity(command: "deploy", image: "sha256:1", options: "o")
    private let member = FleetMember(name: "a", address: .tcp(host: "h", port: 1))
    private let place: Place

    init() throws { place = try Place() }

    @Test("says what is done")
    func done() throws {
        do {
            let state = try RolloutState(place.path, of: rollout)
            #expect(state.record(of: member) == nil)
            try state.write(RolloutRecord(.begun, member))
            #expect(state.record(of: member)?.state == .begun)
            try state.write(RolloutRecord(.done, member))
        }
        let state = try RolloutState(place.path, of: rollout)
        #expect(state.record(of: member)?.state == .done)
        var other = member
        other.address = .tcp(host: "i", port: 1)
        #expect(state.record(of: other) == nil)
        // A name is only what it is called.
        var renamed = member
        renamed.name = "b"
        renamed.address = .tcp(host: "H", port: 1)
        #expect(state.record(of: renamed)?.state == .done)
        var status = stat()
        stat(place.path, &status)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test("remembers the image before, until the device ends")
    func previous() throws {
        let state = try RolloutState(place.path, of: rollout)
        try state.write(RolloutRecord(.begun, member))
        try state.write(RolloutRecord(.begun, member, previous: "web:1"))
        try state.write(RolloutRecord(.begun, member))
        #expect(state.record(of: member)?.previous == "web:1")
        try state.write(RolloutRecord(.lost, member, error: "gone"))
        #expect(state.record(of: member)?.previous == "web:1")
        #expect(state.record(of: member)?.isOpen == true)
        try state.write(RolloutRecord(.failed, member, error: "no"))
        #expect(state.record(of: member)?.previous == nil)
        #expect(state.record(of: member)?.isOpen == false)
        #expect(try place.text.contains(#""error":"no""#))
    }

    @Test("is of one rollout only")
    func identity() throws {
        _ = try RolloutState(place.path, of: rollout)
        let others = [
            (
                RolloutIdentity(command: "upgrade", image: "sha256:1", options: "o"),
                "it is a rollout of deploy"
            ),
            (
                RolloutIdentity(command: "deploy", image: "sha256:2", options: "o"),
                "it is a rollout of the image sha256:1"
            ),
            (
                RolloutIdentity(command: "deploy", image: "sha256:1", options: "p"),
                "it is a rollout with other options"
            ),
        ]
        for (other, reason) in others {
            #expect(throws: FleetError("\(place.path): \(reason)")) {
                try RolloutState(place.path, of: other)
            }
        }
    }

    @Test("is one program's at a time")
    func lock() throws {
        let state = try RolloutState(place.path, of: rollout)
        #expect(throws: FleetError("\(place.path): another cz is at work with it")) {
            try RolloutState(place.path, of: rollout)
        }
        try state.write(RolloutRecord(.begun, member))
    }

    /// Opens it again, after who had it: other tests start programs meanwhile, which have all files
    /// for a moment, and the lock with them.
    private func reopened() throws -> RolloutState {
        let isTaken = FleetError("\(place.path): another cz is at work with it")
        for _ in 0..<1000 {
            let state = Result { try RolloutState(place.path, of: rollout) }
            guard case .failure(let error) = state, error as? FleetError == isTaken else {
                return try state.get()
            }
            usleep(10_000)
        }
        throw isTaken
    }

    @Test("cut anywhere is read up to the last whole line, and gone on with")
    func cut() throws {
        do {
            let state = try reopened()
            try state.write(RolloutRecord(.begun, member))
            try state.write(RolloutRecord(.done, member))
        }
        let whole = try place.text
        let header =
            whole.utf8.count
            - whole.split(separator: "\n").dropFirst()
            .map { $0.utf8.count + 1 }.reduce(0, +)
        for length in 0...whole.utf8.count {
            try place.write(String(decoding: whole.utf8.prefix(length), as: UTF8.self))
            do {
                let state = try reopened()
                let record = state.record(of: member)
                #expect(
                    length == whole.utf8.count
                        ? record?.state == .done : record?.state != .done)
                #expect(length >= header || record == nil)
                try state.write(RolloutRecord(.failed, member))
            }
            let state = try reopened()
            #expect(state.record(of: member)?.state == .failed)
        }
    }

    @Test("is no other file")
    func otherFiles() throws {
        for text in ["some notes", "some notes\n", "{}\n", "{\"rollout\":1,\"version\":1}\n"] {
            try place.write(text)
            #expect(throws: FleetError("\(place.path): it is not the state of a rollout")) {
                try reopened()
            }
            #expect(try place.text == text)
        }
        #expect(throws: FleetError("/dev/null: Illegal seek")) {
            try RolloutState("/dev/null", of: rollout)
        }
        #expect(throws: FleetError("/nonexistent/x: No such file or directory")) {
            try RolloutState("/nonexistent/x", of: rollout)
        }
    }

    @Test("with a bad line in the middle is not gone on with")
    func badLine() throws {
        _ = try reopened()
        let header = try place.text
        try place.write(header + "{}\n")
        #expect(throws: FleetError("\(place.path):2: it says nothing about a target")) {
            try reopened()
        }
    }
}
