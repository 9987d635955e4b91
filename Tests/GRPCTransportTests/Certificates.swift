import Glibc

/// Throwaway certificates, made with the openssl command into a folder that is removed again.
final class Certificates: Sendable {
    let folder: String

    init() throws {
        var template = Array("/tmp/containerz-certificates-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw Failure(command: "mkdtemp") }
        folder = String(cString: path)
        try authority("ca")
        try authority("other-ca")
        try leaf("server", by: "ca", "subjectAltName=IP:127.0.0.1,DNS:device.example")
        try leaf(
            "client", by: "ca", "subjectAltName=URI:spiffe://example.net/role/admin,DNS:station")
        try leaf("expired", by: "ca", "subjectAltName=IP:127.0.0.1", days: -1)
        try leaf("stranger", by: "other-ca", "subjectAltName=URI:spiffe://example.net/role/none")
        try run(
            """
            touch index.txt && echo 01 > number && printf '%s\\n' '[ca]' 'default_ca=d' '[d]' \
            'database=index.txt' 'crlnumber=number' 'default_md=sha256' \
            'default_crl_days=1' > crl.cnf && \
            openssl ca -config crl.cnf -cert ca.pem -keyfile ca.key -revoke client.pem && \
            openssl ca -config crl.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem && \
            openssl rsa -aes256 -passout pass:secret -in server.key -out locked.key
            """)
    }

    deinit {
        _ = try? run("rm -r \(folder)")
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    private func authority(_ name: String) throws {
        try run(
            """
            openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=\(name) \
            -keyout \(name).key -out \(name).pem
            """)
    }

    private func leaf(_ name: String, by authority: String, _ extra: String, days: Int = 1) throws {
        try run(
            """
            openssl req -newkey rsa:2048 -nodes -subj /O=test/CN=\(name) \
            -keyout \(name).key -out \(name).csr && printf '%s\\n' '\(extra)' > \(name).ext && \
            openssl x509 -req -in \(name).csr -CA \(authority).pem -CAkey \(authority).key \
            -CAcreateserial -days \(days) -extfile \(name).ext -out \(name).pem
            """)
    }

    private func run(_ command: String) throws {
        guard system("cd \(folder) && { \(command); } >>log 2>&1") == 0 else {
            throw Failure(command: command)
        }
    }

    struct Failure: Error { var command: String }
}
