/// Timings and sizes of a connection.
struct HTTP2ConnectionConfiguration {
    var limits: HTTP2Limits
    /// The largest message, in bytes.
    var messageLimit: Int
    var handshakeTimeout: Duration
    /// What decides when the TLS handshake goes on, and whom it is counted for; nil where it goes
    /// on whenever it can.
    var handshakes: (scheduler: HandshakeScheduler, source: String)?
    /// How long a peer may take over the headers of a request; nil for ever.
    var headerTimeout: Duration?
    /// How long bytes may wait to be sent without any of them going out; nil for ever.
    var stallTimeout: Duration?
    /// What the connection's share of the memory for messages comes out of.
    var budget: BufferBudget?
    /// How long nothing may arrive before a ping asks whether the peer is still there; nil for
    /// never.
    var keepaliveTime: Duration?
    /// How long the answer to that ping may take.
    var keepaliveTimeout: Duration
}
