/// A file on a server that speaks SFTP or SCP, to be read.
public struct SSHRequest: Sendable {
    /// How to show who asks.
    public enum Login: Sendable {
        case password(String)
        /// The path of a private key without a passphrase.
        case key(String)
        /// What the agent at `SSH_AUTH_SOCK` holds.
        case agent
    }

    /// `sftp://HOST[:PORT]/PATH` or `scp://…`.
    public var url: String
    public var username: String
    public var login: Login
    /// Which keys servers have, in the format of ssh's known_hosts; no other server is trusted.
    public var knownHosts: String
    /// The device's interface, address or VRF to connect from; any when nil.
    public var interface: String?
    /// Which addresses it may connect to.
    public var destinations = DestinationPolicy()
    /// How long connecting and logging in may take.
    public var connectTimeout: Duration = .seconds(20)
    /// The longest silence before the transfer is given up.
    public var idleTimeout: Duration = .seconds(60)

    public init(_ url: String, username: String, login: Login, knownHosts: String) {
        self.url = url
        self.username = username
        self.login = login
        self.knownHosts = knownHosts
    }
}
