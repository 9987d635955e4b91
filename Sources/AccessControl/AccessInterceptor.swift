import Authorization
import GRPCCore
import GRPCTransport
import SystemIO

/// Decides, once for each RPC of whatever service and before any message of it is looked at,
/// whether it may go on.
public struct AccessInterceptor: ServerInterceptor {
    private let authenticator: Authenticator
    private let policy: CurrentPolicy
    private let load: PrincipalLoad

    public init(
        _ authenticator: Authenticator, _ policy: CurrentPolicy, _ load: PrincipalLoad
    ) {
        self.authenticator = authenticator
        self.policy = policy
        self.load = load
    }

    public func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        guard let record = context.transportSpecific as? CallRecord else {
            throw RPCError(code: .internalError, message: "the peer is not known")
        }
        record.note(AuditKey.decision, "unauthenticated")
        let principal = try await authenticator.principal(
            record.peer, request.metadata,
            from: PeerAddress.network(of: record.remotePeer, record.peer.credentials))
        record.note(AuditKey.principal, "\(principal)")
        record.note(AuditKey.authentication, principal.proof.rawValue)
        let decision = policy.decide(principal, record.method, request.metadata)
        switch decision {
        case .allowed(let rule):
            record.note(AuditKey.decision, "allowed")
            record.note(AuditKey.rule, rule)
        case .denied(let rule):
            record.note(AuditKey.decision, "denied")
            record.note(AuditKey.rule, rule)
        case .unmatched: record.note(AuditKey.decision, "denied")
        }
        guard decision.isAllowed else {
            // Which rule it was is for the audit, not for those it keeps out.
            throw RPCError(
                code: .permissionDenied,
                message: "\(principal) may not call \(record.method.method)")
        }
        record.decidePermissions { [policy, metadata = request.metadata] method in
            policy.decide(principal, method, metadata).isAllowed
        }
        record.admit()
        try load.begin(record, of: principal)
        var request = request
        // Handlers have no use for them, and what they do not have they cannot give away.
        request.metadata.removeAllValues(forKey: Authenticator.nameKey)
        request.metadata.removeAllValues(forKey: Authenticator.passwordKey)
        return try await next(request, context)
    }
}
