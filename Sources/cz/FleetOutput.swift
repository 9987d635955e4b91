import Synchronization
import SystemIO
import TextTable

/// The standard output of a command for several devices.
final class FleetOutput: Sendable {
    private struct State {
        var failure: SystemError?
        /// Of the tables so far.
        var widths: [Int] = []
    }
    private let state = Mutex(State())

    /// Why it cannot be written to any more, which is no device's fault.
    var failure: SystemError? { state.withLock { $0.failure } }

    func write(_ bytes: [UInt8]) {
        state.withLock { Self.write(bytes, &$0) }
    }

    /// Tables of several devices are one: with a column for the device, and one header.
    func write(_ table: Table, of target: String) {
        state.withLock { state in
            let text = table.headed("TARGET", target).text(alignedWith: &state.widths)
            Self.write(Array(text.utf8), &state)
        }
    }

    private static func write(_ bytes: [UInt8], _ state: inout State) {
        guard state.failure == nil else { return }
        do throws(SystemError) {
            try StandardOutput.write(bytes)
        } catch {
            state.failure = error
        }
    }
}
