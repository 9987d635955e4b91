import ArgumentParser
import ContainerzClient
import Synchronization
import SystemIO

/// A tarball that is opened when it is needed first, and then once for all devices.
final class PushFile: Sendable {
    /// `-` for standard input.
    let name: String
    private let command: String
    private let opened = Mutex<PushSource?>(nil)

    init(_ name: String, for command: String) {
        self.name = name
        self.command = command
    }

    /// - Throws: `ExitCode`, after the reason has been written.
    func source() throws -> PushSource {
        try opened.withLock { opened in
            if let opened { return opened }
            do throws(SystemError) {
                let source: PushSource = name == "-" ? try .standardInput() : try .file(name)
                opened = source
                return source
            } catch {
                Program.complain("\(command): \(name): \(error.reason)")
                throw ExitCode.failure
            }
        }
    }
}
