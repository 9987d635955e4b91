// Serves EchoService with TLS, without, and on a unix socket, until SIGTERM:
//
//     echo-server CERTIFICATE KEY CLIENT-CA TLS-ADDRESS PLAIN-ADDRESS UNIX-ADDRESS

import GRPCCore
import GRPCTransport
import Glibc
import SystemIO

@Sendable func complain(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

@EventLoop
func serve(tls: TLSConfiguration, on texts: [String]) async throws {
    var endpoints: [HTTP2ServerTransport.Endpoint] = []
    for text in texts {
        let listener = try await Listener.bind(to: SocketAddress(parsing: text))
        endpoints.append(.init(listener, tls: endpoints.isEmpty ? tls : nil))
    }
    let transport = try HTTP2ServerTransport(endpoints) { complain("\($0): \($1)") }
    let server = GRPCServer(transport: transport, services: [EchoService()])
    let signals = try Signals([SIGTERM]) { _ in server.beginGracefulShutdown() }
    defer { signals.cancel() }
    async let serving: Void = server.serve()
    ServiceManager.notify("READY=1")
    try await serving
}

Signals.block([SIGTERM])
let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count == 6 else {
    complain("usage: echo-server CERTIFICATE KEY CLIENT-CA TLS PLAIN UNIX")
    exit(64)
}
let tls = TLSConfiguration(
    certificateChain: arguments[0], privateKey: arguments[1], authorities: arguments[2])
let addresses = Array(arguments[3...])
let failure: String? = EventLoopExecutor.run { @EventLoop in
    do {
        try await serve(tls: tls, on: addresses)
        return nil
    } catch {
        return "\(error)"
    }
}
if let failure {
    complain("echo-server: \(failure)")
    exit(1)
}
