/// What happens on a server, for whoever counts it.
public enum ServerEvent: Hashable, Sendable {
    /// A connection was accepted; its handshake is still to come.
    case connectionOpened
    /// One that was accepted is over; in bad order when the peer broke it off or the rules.
    case connectionClosed(inGoodOrder: Bool)
    /// There was no place for one, or TLS could not begin.
    case connectionRefused
    /// An RPC goes to its handler; the callback for the end of RPCs is told when it is over.
    case callBegan
}
