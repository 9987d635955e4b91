public import GRPCCore
import Synchronization

/// One RPC as a server saw it, from its first header to its end: what an audit wants to know.
///
/// A handler finds it as its context's `transportSpecific`, and may add what it knows itself.
public final class CallRecord: ServerContext.TransportSpecific {
    public let method: MethodDescriptor
    public let peer: PeerIdentity
    /// The addresses of both ends, as gRPC writes them.
    public let remotePeer: String
    public let localPeer: String
    public let started = ContinuousClock.now

    private struct State {
        var received = Traffic()
        var sent = Traffic()
        var status: Status?
        var wasBroken = false
        var wasAdmitted = false
        var wasCarriedOut = false
        var isOver = false
        var endings: [@Sendable () -> Void] = []
        var notes: [String: Note] = [:]
        var target: String?
        var permission: (@Sendable (MethodDescriptor) -> Bool)?
    }
    private let state = Mutex(State())

    /// Messages of one direction, without their framing.
    public struct Traffic: Hashable, Sendable {
        public var messages = 0
        public var bytes = 0
    }

    /// A value that an interceptor or a handler adds to a record.
    public enum Note: Hashable, Sendable {
        case text(String)
        case list([String])
        case integer(Int64)
        case number(Double)
        case flag(Bool)
    }

    init(
        _ method: MethodDescriptor, _ peer: PeerIdentity, remotePeer: String, localPeer: String
    ) {
        self.method = method
        self.peer = peer
        self.remotePeer = remotePeer
        self.localPeer = localPeer
    }

    public var received: Traffic { state.withLock { $0.received } }
    public var sent: Traffic { state.withLock { $0.sent } }
    /// How it ended; nil while it goes on, and when it broke off before that.
    public var status: Status? { state.withLock { $0.status } }
    /// The status code that it counts as: for one that broke off, cancelled.
    public var code: Status.Code {
        state.withLock { $0.status?.code ?? ($0.wasBroken ? .cancelled : .unknown) }
    }
    /// Whether the client, its connection or its deadline ended it.
    public var wasBroken: Bool { state.withLock { $0.wasBroken } }
    /// Whether what was asked for has been done, whoever waited for the answer.
    public var wasCarriedOut: Bool { state.withLock { $0.wasCarriedOut } }
    /// Whether access control has let it in.
    var wasAdmitted: Bool { state.withLock { $0.wasAdmitted } }
    /// What was added, by its name in the record.
    public var notes: [String: Note] { state.withLock { $0.notes } }

    /// What the request is about, such as an instance or an image, once it is known.
    public var target: String? {
        get { state.withLock { $0.target } }
        set { state.withLock { $0.target = newValue } }
    }

    /// Adds a text that a handler or an interceptor knows.
    public func note(_ key: String, _ value: String) {
        note([key: .text(value)])
    }

    /// Adds what a handler or an interceptor knows; a note replaces the one of the same name.
    public func note(_ notes: [String: Note]) {
        state.withLock { $0.notes.merge(notes) { $1 } }
    }

    /// Says how to find out which other methods this caller may call.
    public func decidePermissions(by decide: @escaping @Sendable (MethodDescriptor) -> Bool) {
        state.withLock { $0.permission = decide }
    }

    /// Whether access control would let this caller call another method now; false while nothing
    /// decides that.
    public func permits(_ method: MethodDescriptor) -> Bool {
        state.withLock(\.permission)?(method) ?? false
    }

    /// Says that access control lets it in; its connection is worth more from then on.
    public func admit() {
        state.withLock { $0.wasAdmitted = true }
    }

    /// Says that what was asked for has been done; the answer may still not get through.
    public func carryOut() {
        state.withLock { $0.wasCarriedOut = true }
    }

    /// Has something done when its handler has returned, whatever became of its stream: at once
    /// when it has.
    public func atEnd(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock {
            if !$0.isOver { $0.endings.append(body) }
            return $0.isOver
        }
        if isOver { body() }
    }

    /// Its handler has returned.
    func close() {
        let endings = state.withLock { state in
            state.isOver = true
            defer { state.endings = [] }
            return state.endings
        }
        for ending in endings { ending() }
    }

    func receive(_ bytes: Int) {
        state.withLock {
            $0.received.messages += 1
            $0.received.bytes += bytes
        }
    }

    func send(_ bytes: Int) {
        state.withLock {
            $0.sent.messages += 1
            $0.sent.bytes += bytes
        }
    }

    /// The first one counts, and only while there is somebody to hear it.
    func end(_ status: Status) {
        state.withLock { if $0.status == nil, !$0.wasBroken { $0.status = status } }
    }

    func broke() {
        state.withLock { if $0.status == nil { $0.wasBroken = true } }
    }
}
