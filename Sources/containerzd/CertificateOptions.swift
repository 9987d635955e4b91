import ArgumentParser
import GRPCTransport
import Glibc

extension TLSVersion: ExpressibleByArgument {}

/// The server's certificate, and who may sign its clients'.
struct CertificateOptions: ParsableArguments {
    @Option(
        name: .customLong("tls-dir"),
        help: ArgumentHelp(
            """
            A folder with \(chain), \(key), \(authorities) and perhaps \(revocations), in place of \
            the options for each; without \(chain) in it only unix sockets are served.
            """, valueName: "folder"))
    var folder: String?

    @Option(
        name: .customLong("tls-cert"),
        help: ArgumentHelp("The certificate chain, PEM.", valueName: "file"))
    var certificate: String?

    @Option(name: .customLong("tls-key"), help: ArgumentHelp("Its key, PEM.", valueName: "file"))
    var privateKey: String?

    @Option(
        name: .customLong("client-ca"),
        help: ArgumentHelp("Who signs clients' certificates, PEM.", valueName: "file"))
    var clientCA: String?

    @Option(help: ArgumentHelp("Revoked certificates, PEM.", valueName: "file"))
    var crl: String?

    @Option(
        name: .customLong("tls-min-version"),
        help: ArgumentHelp("The oldest version of TLS: 1.2 or 1.3.", valueName: "version"))
    var minimumVersion = TLSVersion.tls12

    static let chain = "server.pem"
    static let key = "server.key"
    static let authorities = "client-ca.pem"
    static let revocations = "crl.pem"

    func validate() throws {
        guard (certificate == nil) == (privateKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key go together")
        }
        guard clientCA == nil || certificate != nil else {
            throw ValidationError("--client-ca goes with --tls-cert")
        }
        guard crl == nil || clientCA != nil else {
            throw ValidationError("--crl goes with --client-ca")
        }
        guard folder == nil || certificate == nil else {
            throw ValidationError("--tls-dir and --tls-cert exclude each other")
        }
    }

    /// Whether there may be any.
    var areGiven: Bool { folder != nil || certificate != nil }

    /// - Parameter requiresClientCertificate: when there is no other way for clients to show who
    ///   they are.
    /// - Returns: nil for no TLS.
    func configuration(requiresClientCertificate: Bool) -> TLSConfiguration? {
        if let folder {
            guard access("\(folder)/\(Self.chain)", F_OK) == 0 else { return nil }
            let lists = "\(folder)/\(Self.revocations)"
            return TLSConfiguration(
                certificateChain: "\(folder)/\(Self.chain)", privateKey: "\(folder)/\(Self.key)",
                authorities: "\(folder)/\(Self.authorities)",
                revocationLists: access(lists, F_OK) == 0 ? lists : nil,
                requiresClientCertificate: requiresClientCertificate,
                minimumVersion: minimumVersion)
        }
        return certificate.map {
            TLSConfiguration(
                certificateChain: $0, privateKey: privateKey, authorities: clientCA,
                revocationLists: crl, requiresClientCertificate: requiresClientCertificate,
                minimumVersion: minimumVersion)
        }
    }
}
