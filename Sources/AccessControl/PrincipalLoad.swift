import Authorization
import GRPCCore
import GRPCTransport
import Synchronization

/// How many RPCs each principal has under way, over all of its connections, so that one client
/// leaves something for the others.
public final class PrincipalLoad: Sendable {
    private let maximum: Int
    private let counts = Mutex<[String: Int]>([:])

    /// - Parameter maximum: of one principal at a time.
    public init(maximum: Int) { self.maximum = maximum }

    /// Counts an RPC until its handler has returned.
    ///
    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED when there are as many as there may be.
    func begin(_ record: CallRecord, of principal: Principal) throws(RPCError) {
        // Where nobody proves anything, an address is all there is.
        let name =
            principal.names.first?.text
            ?? PeerAddress.network(of: record.remotePeer, record.peer.credentials)
        let isAdmitted = counts.withLock { counts in
            guard counts[name, default: 0] < maximum else { return false }
            counts[name, default: 0] += 1
            return true
        }
        guard isAdmitted else {
            throw RPCError(
                code: .resourceExhausted,
                message: "\(principal) has \(maximum) RPCs under way, and no more at a time")
        }
        record.atEnd { [self] in end(name) }
    }

    private func end(_ name: String) {
        counts.withLock { counts in
            guard let count = counts[name] else { return }
            counts[name] = count > 1 ? count - 1 : nil
        }
    }
}
