import FoundationEssentials
import SystemIO
import Testing

@testable import ContainerEngine

@Suite("What an engine will start again")
@EventLoop
struct RestartTests {
    @Test(
        "By policy, exit code and attempts",
        arguments: [
            ("no", 0, 1, 0, false), ("", 0, 1, 0, false), ("always", 0, 0, 0, true),
            ("unless-stopped", 0, 0, 0, true), ("on-failure", 0, 0, 0, false),
            ("on-failure", 0, 1, 7, true), ("on-failure", 3, 1, 2, true),
            ("on-failure", 3, 1, 3, false),
        ])
    func mayRestart(
        _ policy: String, _ attempts: Int, _ exitCode: Int, _ restarts: Int, _ expected: Bool
    ) throws {
        let text = """
            {"Id": "1", "Name": "/x", "RestartCount": \(restarts),
             "State": {"Status": "exited", "ExitCode": \(exitCode)},
             "HostConfig": {"RestartPolicy":
                {"Name": "\(policy)", "MaximumRetryCount": \(attempts)}}}
            """
        let document = try JSONDecoder().decode(ContainerDocument.self, from: Data(text.utf8))
        #expect(DockerEngine.mayRestart(document) == expected)
    }

    @Test(
        "When one ended",
        arguments: [
            ("0001-01-01T00:00:00Z", nil), ("", nil), ("2026-11-24T08:54:59.006Z", 1_795_510_499),
        ] as [(String, Int64?)])
    func finished(_ text: String, _ expected: Int64?) throws {
        let document = try JSONDecoder().decode(
            ContainerDocument.self,
            from: Data(
                #"{"Id": "1", "Name": "/x", "State": {"Status": "exited", "FinishedAt": "\#(text)"}}"#
                    .utf8))
        #expect(DockerEngine.finished(document) == expected)
    }
}
