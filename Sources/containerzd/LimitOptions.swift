import SystemIO
import ArgumentParser
import GRPCTransport

/// What clients may use of the device, and how long they may take.
struct LimitOptions: ParsableArguments {
    private static let defaults = HTTP2ServerTransport.Configuration()

    @Option(help: ArgumentHelp("Connections at a time to each address.", valueName: "n"))
    var maxConnections = defaults.maximumConnections

    @Option(help: ArgumentHelp("Connections at a time from one address.", valueName: "n"))
    var maxConnectionsPerPeer = defaults.maximumConnectionsPerPeer

    @Option(help: ArgumentHelp("RPCs at a time on one connection.", valueName: "n"))
    var maxStreams = defaults.maximumConcurrentStreams

    @Option(
        name: .customLong("max-rpcs-per-principal"),
        help: ArgumentHelp("RPCs at a time of one principal.", valueName: "n"))
    var maxCallsPerPrincipal = Self.usualCallsPerPrincipal

    @Option(help: ArgumentHelp("Bytes of a request's metadata.", valueName: "n"))
    var maxHeaderSize = defaults.maximumHeaderListSize

    @Option(help: ArgumentHelp("Bytes of messages held for all connections.", valueName: "n"))
    var maxBuffered = defaults.maximumBufferedBytes

    @Option(help: ArgumentHelp("Streams a connection may break off a second.", valueName: "n"))
    var maxResets = defaults.resets.perSecond

    @Option(help: ArgumentHelp("Control frames of a connection a second.", valueName: "n"))
    var maxControlFrames = defaults.controlFrames.perSecond

    @Option(help: ArgumentHelp("For TLS and the start of HTTP/2.", valueName: "seconds"))
    var handshakeTimeout = Self.seconds(defaults.handshakeTimeout)

    @Option(help: ArgumentHelp("For the metadata of a request.", valueName: "seconds"))
    var headerTimeout = Self.seconds(defaults.headerTimeout)

    @Option(
        help: ArgumentHelp("For a connection without RPCs; 0 for ever.", valueName: "seconds"))
    var idleTimeout = defaults.idleTimeout.map(Self.seconds) ?? 0

    @Option(
        help: ArgumentHelp(
            "For the first RPC of a connection that is let in; 0 for no such limit.",
            valueName: "seconds"))
    var loginTimeout = Self.usualLoginTimeout

    @Option(
        help: ArgumentHelp(
            "For the next byte of a request's messages; 0 for ever.", valueName: "seconds"))
    var requestTimeout = defaults.requestTimeout.map(Self.seconds) ?? 0

    @Option(
        help: ArgumentHelp("For a client that does not read; 0 for ever.", valueName: "seconds"))
    var stallTimeout = defaults.stallTimeout.map(Self.seconds) ?? 0

    /// A burst is this many seconds' worth of the rate, as in the defaults.
    private static let resetBurstFactor = defaults.resets.burst / defaults.resets.perSecond
    private static let controlBurstFactor =
        defaults.controlFrames.burst / defaults.controlFrames.perSecond

    private static func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }

    /// More than the containers of a device whose logs a controller follows all at once.
    private static let usualCallsPerPrincipal = 128

    /// A client connects when it has something to call; those that wait for a person to type a
    /// password ask before.
    private static let usualLoginTimeout = 60.0

    /// A day: longer ones are mistakes.
    private static let longestTimeout = 86_400.0

    func validate() throws {
        try check("max-connections", maxConnections, 1...100_000)
        try check("max-connections-per-peer", maxConnectionsPerPeer, 1...100_000)
        try check("max-streams", maxStreams, 1...10_000)
        try check("max-rpcs-per-principal", maxCallsPerPrincipal, 1...100_000)
        // No RPC has less than some hundred bytes of headers.
        try check("max-header-size", maxHeaderSize, 1024...(1 << 20))
        // The largest message there is has to fit in twice, once in each direction.
        try check("max-buffered", maxBuffered, 8 << 20...1 << 30)
        try check("max-resets", maxResets, 1...1_000_000)
        try check("max-control-frames", maxControlFrames, 1...1_000_000)
        try check("handshake-timeout", handshakeTimeout, 0.1...Self.longestTimeout)
        try check("header-timeout", headerTimeout, 0.1...Self.longestTimeout)
        try check("idle-timeout", idleTimeout, 0...Self.longestTimeout)
        try check("login-timeout", loginTimeout, 0...Self.longestTimeout)
        try check("request-timeout", requestTimeout, 0...Self.longestTimeout)
        try check("stall-timeout", stallTimeout, 0...Self.longestTimeout)
    }

    private func check<Value>(
        _ name: String, _ value: Value, _ range: ClosedRange<Value>
    ) throws {
        guard range.contains(value) else {
            throw ValidationError(
                "--\(name): \(value) is not from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// What the options say, on top of what the transport does without them.
    ///
    /// - Parameters:
    ///   - descriptors: how many this process may have open.
    ///   - endpoints: how many share them.
    func apply(
        to configuration: inout HTTP2ServerTransport.Configuration, descriptors: Int,
        endpoints: Int
    ) {
        configuration.maximumConnections = min(
            maxConnections, DescriptorLimit.connections(within: descriptors / max(endpoints, 1)))
        configuration.maximumConnectionsPerPeer = maxConnectionsPerPeer
        configuration.maximumConcurrentStreams = maxStreams
        configuration.maximumHeaderListSize = maxHeaderSize
        configuration.maximumBufferedBytes = maxBuffered
        configuration.resets = RateLimit(
            burst: maxResets * Self.resetBurstFactor, perSecond: maxResets)
        configuration.controlFrames = RateLimit(
            burst: maxControlFrames * Self.controlBurstFactor, perSecond: maxControlFrames)
        configuration.handshakeTimeout = .seconds(handshakeTimeout)
        configuration.headerTimeout = .seconds(headerTimeout)
        configuration.idleTimeout = idleTimeout > 0 ? .seconds(idleTimeout) : nil
        configuration.unprovenTimeout = loginTimeout > 0 ? .seconds(loginTimeout) : nil
        configuration.requestTimeout = requestTimeout > 0 ? .seconds(requestTimeout) : nil
        configuration.stallTimeout = stallTimeout > 0 ? .seconds(stallTimeout) : nil
    }
}
