/// The limits of an HTTP/2 session.
struct HTTP2Limits {
    var maximumConcurrentStreams: Int
    /// Bytes a peer may send on a stream before we have taken them.
    var streamWindow: Int
    /// What that may become where a long line would otherwise stand idle.
    var widestStreamWindow: Int
    var maximumHeaderListSize: Int
    /// What a peer's frames may cost; nil for a server, which the client has chosen itself.
    var conduct: PeerConduct.Limits?
}
