import GRPCCore
import SystemIO

/// How many images, say, are being deployed, and how much room they will take.
@EventLoop
final class DeployAdmission {
    private let maximum: Int
    /// What they are, and what is done with them.
    private let work: String
    private var count = 0
    private var reserved: Int64 = 0

    nonisolated init(maximum: Int, of work: String = "images are being deployed") {
        self.maximum = maximum
        self.work = work
    }

    /// - Parameter free: bytes that are left where it goes; nil where that is not known.
    /// - Throws: RESOURCE_EXHAUSTED.
    func admit(_ size: Int64, free: Int64?) throws(RPCError) {
        guard count < maximum else {
            throw RPCError(
                code: .resourceExhausted,
                message: "\(count) \(work) already; try again later")
        }
        let (needed, overflow) = reserved.addingReportingOverflow(size)
        guard !overflow, needed <= free ?? .max else {
            let room = free.map { "only \(max(0, $0 - reserved)) are free on the device" }
            throw RPCError(
                code: .resourceExhausted,
                message: "it has \(size) bytes, but \(room ?? "no device holds as many")")
        }
        count += 1
        reserved = needed
    }

    func release(_ size: Int64) {
        count -= 1
        reserved -= size
        if count == 0 { Heap.giveBack() }
    }
}
