public import SystemIO

/// What a client proves itself with and judges servers by, read from its files once for any number
/// of connections.
@EventLoop
public final class ClientCredentials {
    let context: TLSContext

    /// - Throws: `TLSError` when certificates or keys cannot be used.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        context = try TLSContext.client(configuration)
    }
}
