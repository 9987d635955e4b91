import Glibc
public import GRPCCore
public import GRPCTransport
import Metrics
public import SystemIO

/// Counts what a gRPC server does, by methods that it serves and the codes they end with: a client
/// can name any method, but make no more of them than that.
@EventLoop
public final class RPCMetrics {
    /// What methods that are not served count as.
    private static let foreign = "other"

    private struct Ending: Hashable, Comparable {
        var method: String
        var code: String

        static func < (left: Ending, right: Ending) -> Bool {
            (left.method, left.code) < (right.method, right.code)
        }
    }

    private let methods: Set<String>
    private let startTime: Int
    private var endings: [Ending: Int] = [:]
    private var received: [String: Int] = [:]
    private var sent: [String: Int] = [:]
    private var callsUnderWay = 0
    private var connectionsOpen = 0
    private var connectionsAccepted = 0
    private var connectionsDropped = 0
    private var connectionsRefused = 0

    /// Called after each change.
    public var onChange: (@EventLoop () -> Void)?

    /// - Parameters:
    ///   - methods: those that are served.
    ///   - startTime: when the server began, in seconds since 1970.
    public init(of methods: some Sequence<MethodDescriptor>, startTime: Int = time(nil)) {
        // By their names, since what a client asks for does not say what kind of method it is.
        self.methods = Set(methods.map(\.fullyQualifiedMethod))
        self.startTime = startTime
    }

    /// Counts something that happened.
    public func count(_ event: ServerEvent) {
        switch event {
        case .connectionOpened:
            connectionsAccepted += 1
            connectionsOpen += 1
        case .connectionClosed(let inGoodOrder):
            connectionsOpen -= 1
            if !inGoodOrder { connectionsDropped += 1 }
        case .connectionRefused: connectionsRefused += 1
        case .callBegan: callsUnderWay += 1
        }
        onChange?()
    }

    /// Counts an RPC that is over.
    public func count(_ call: CallRecord) {
        let name = call.method.fullyQualifiedMethod
        let method = methods.contains(name) ? name : Self.foreign
        callsUnderWay -= 1
        endings[Ending(method: method, code: "\(call.code)"), default: 0] += 1
        received[method, default: 0] += call.received.bytes
        sent[method, default: 0] += call.sent.bytes
        onChange?()
    }

    /// All of it, in Prometheus's text format.
    public var text: String {
        var metrics = MetricsText(prefix: "containerz_")
        metrics.add(.gauge, "start_time_seconds", "When containerzd started.", .init(startTime))
        metrics.add(
            .counter, "rpcs_total", "RPCs that are over, by method and status code.",
            endings.sorted { $0.key < $1.key }.map {
                .init($0.value, ["method": $0.key.method, "code": $0.key.code])
            })
        metrics.add(.gauge, "rpcs_under_way", "RPCs that are not over.", .init(callsUnderWay))
        metrics.add(
            .counter, "rpc_received_bytes_total", "Bytes of messages of RPCs that are over.",
            byMethod(received))
        metrics.add(
            .counter, "rpc_sent_bytes_total", "Bytes of messages in answer to RPCs that are over.",
            byMethod(sent))
        metrics.add(
            .gauge, "connections_open", "Connections that are open.", .init(connectionsOpen))
        metrics.add(
            .counter, "connections_accepted_total", "Connections that were accepted.",
            .init(connectionsAccepted))
        metrics.add(
            .counter, "connections_dropped_total",
            "Connections that were accepted and ended in bad order.", .init(connectionsDropped))
        metrics.add(
            .counter, "connections_refused_total",
            "Connections that were turned away, for want of a place.",
            .init(connectionsRefused))
        return metrics.text
    }

    private func byMethod(_ counts: [String: Int]) -> [MetricsText.Sample] {
        counts.sorted { $0.key < $1.key }.map { .init($0.value, ["method": $0.key]) }
    }
}
