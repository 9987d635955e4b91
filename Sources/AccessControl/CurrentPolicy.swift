import Authorization
import GRPCCore
import Synchronization

/// The policy that holds now; it may be replaced at any time.
public final class CurrentPolicy: Sendable {
    private let policy: Mutex<AuthorizationPolicy?>

    /// - Parameter policy: nil where everybody who gets this far may do everything.
    public init(_ policy: AuthorizationPolicy?) {
        self.policy = Mutex(policy)
    }

    public func replace(_ policy: AuthorizationPolicy) {
        self.policy.withLock { $0 = policy }
    }

    func decide(
        _ principal: Principal, _ method: MethodDescriptor, _ metadata: Metadata
    ) -> AuthorizationDecision {
        guard let policy = policy.withLock({ $0 }) else { return .allowed(by: "") }
        var headers: [String: String] = [:]
        for (key, value) in metadata {
            guard case .string(let text) = value else { continue }
            headers[key.lowercased(), default: ""] +=
                headers[key.lowercased()] == nil ? text : ",\(text)"
        }
        return policy.decide(
            AuthorizationRequest(
                principals: principal.names, otherNames: principal.otherNames,
                path: "/\(method.fullyQualifiedMethod)", headers: headers))
    }
}
