import GRPCCore
import SystemIO

/// How many images are being deployed, and how much room they will take.
@EventLoop
final class DeployAdmission {
    private let maximum: Int
    private var count = 0
    private var reserved: Int64 = 0

    nonisolated init(maximum: Int) { self.maximum = maximum }

    /// - Parameter free: bytes the engine's storage has left; nil where that is not known.
    /// - Throws: RESOURCE_EXHAUSTED.
    func admit(_ size: Int64, free: Int64?) throws(RPCError) {
        guard count < maximum else {
            throw RPCError(
                code: .resourceExhausted,
                message: "\(count) images are being deployed already; try again later")
        }
        if let free {
            let (needed, overflow) = reserved.addingReportingOverflow(size)
            guard !overflow, needed <= free else {
                throw RPCError(
                    code: .resourceExhausted,
                    message: "the image has \(size) bytes, but only \(max(0, free - reserved)) "
                        + "are free on the device")
            }
        }
        count += 1
        reserved += size
    }

    func release(_ size: Int64) {
        count -= 1
        reserved -= size
    }
}
