import COpenSSL
import FoundationEssentials
import Glibc
import SystemIO
import Testing

@testable import LabCertificates

/// What is in a lab's folder, in one that is removed again.
@Suite final class LabFolderTests {
    private let parent: String
    private let lab: LabFolder
    private let servers = ["switch1", "192.0.2.1", "2001:db8::1"].compactMap(ServerName.init)
    private static let certificates = [
        "ca.pem", "device/client-ca.pem", "device/server.pem", "operator.pem", "viewer.pem",
    ]
    private static let keys = ["ca.key", "device/server.key", "operator.key", "viewer.key"]

    init() throws {
        var template = Array("/tmp/containerz-lab-XXXXXX".utf8CString)
        parent = try #require(mkdtemp(&template).map { String(cString: $0) })
        lab = LabFolder("\(parent)/made/lab")
    }

    deinit { try? FileManager.default.removeItem(atPath: parent) }

    @Test func everyCertificateHasItsKeyAndNobodyElseReadsIt() throws {
        try lab.make(for: servers, days: 30)
        for identity in [LabFolder.Identity.authority, .server, .operator, .viewer] {
            let certificate = try certificate(identity.certificate)
            #expect(certificate.belongs(to: try PrivateKey(pem: read(identity.key))))
        }
        for key in Self.keys { #expect(try mode(key) == 0o600, "\(key)") }
        for name in Self.certificates { #expect(try mode(name) & 0o133 == 0, "\(name)") }
        #expect(try mode("device") == 0o700)
        #expect(try read("ca.pem") == read("device/client-ca.pem"))
    }

    @Test func certificatesAreSignedAndForWhatTheyAreFor() throws {
        try lab.make(for: servers, days: 30)
        let purposes = [
            ("device/server.pem", X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT),
            ("operator.pem", X509_PURPOSE_SSL_CLIENT, X509_PURPOSE_SSL_SERVER),
            ("viewer.pem", X509_PURPOSE_SSL_CLIENT, X509_PURPOSE_SSL_SERVER),
        ]
        let authority = try certificate("ca.pem")
        let key = X509_get0_pubkey(authority.pointer)
        #expect(X509_check_ca(authority.pointer) == 1)
        for (name, purpose, other) in purposes {
            let leaf = try certificate(name)
            #expect(X509_verify(leaf.pointer, key) == 1, "\(name)")
            #expect(X509_check_issued(authority.pointer, leaf.pointer) == 0, "\(name)")
            #expect(X509_check_ca(leaf.pointer) == 0, "\(name)")
            #expect(X509_check_purpose(leaf.pointer, purpose, 0) == 1, "\(name)")
            #expect(X509_check_purpose(leaf.pointer, other, 0) == 0, "\(name)")
        }
    }

    @Test func theServersNamesAreInItsCertificate() throws {
        try lab.make(for: servers, days: 30)
        let server = try certificate("device/server.pem")
        #expect(X509_check_host(server.pointer, "switch1", 0, 0, nil) == 1)
        #expect(X509_check_ip_asc(server.pointer, "192.0.2.1", 0) == 1)
        #expect(X509_check_ip_asc(server.pointer, "2001:db8:0::1", 0) == 1)
        #expect(X509_check_host(server.pointer, "localhost", 0, 0, nil) == 0)
        #expect(server.serverNames == servers)
    }

    @Test(arguments: [1, 365, 3650])
    func certificatesAreValidForTheDaysAskedFor(_ days: Int) throws {
        try lab.make(for: servers, days: days)
        for name in ["device/server.pem", "operator.pem", "viewer.pem"] {
            #expect(try self.days(of: certificate(name)) == days, "\(name)")
        }
        #expect(try self.days(of: certificate("ca.pem")) == LabFolder.authorityDays)
    }

    @Test func whatIsThereIsNeverOverwritten() throws {
        try lab.make(for: servers, days: 30)
        let before = try contents()
        #expect(throws: LabFailure.self) { try lab.make(for: servers, days: 30) }
        #expect(try contents() == before)
        for name in before.keys where name != "viewer.key" { unlink("\(lab.path)/\(name)") }
        #expect(throws: LabFailure.self) { try lab.make(for: servers, days: 30) }
        #expect(try contents().keys.sorted() == ["viewer.key"])
    }

    @Test func renewingKeepsTheAuthorityAndTheServersNames() throws {
        try lab.make(for: servers, days: 30)
        let before = try contents()
        #expect(try lab.renew(for: nil, days: 60) == servers)
        let after = try contents()
        #expect(before.keys.sorted() == after.keys.sorted())
        for (name, content) in before {
            #expect((after[name] == content) == name.contains("ca."), "\(name)")
        }
        #expect(try days(of: certificate("device/server.pem")) == 60)
        #expect(try certificate("device/server.pem").serverNames == servers)
        for key in Self.keys { #expect(try mode(key) == 0o600, "\(key)") }
        let others = ["localhost"].compactMap(ServerName.init)
        try lab.renew(for: others, days: 60)
        #expect(try certificate("device/server.pem").serverNames == others)
    }

    @Test func whatAnAuthoritySignsDoesNotOutliveIt() throws {
        let key = try PrivateKey()
        let authority = try Certificate.authority("CA", key, days: 10)
        let leafKey = try PrivateKey()
        let leaf = try Certificate.issued(
            by: authority, key, "leaf", leafKey, for: .client(uri: "urn:x"), days: 20)
        #expect(days(of: leaf) == days(of: authority))
    }

    @Test func renewingNeedsAnAuthorityThatIsWhole() throws {
        #expect(throws: TrustedFile.Refusal.self) { try lab.renew(for: servers, days: 30) }
        try lab.make(for: servers, days: 30)
        let before = try contents()
        let another = LabFolder("\(parent)/another")
        try another.make(for: servers, days: 30)
        #expect(rename("\(another.path)/ca.key", "\(lab.path)/ca.key") == 0)
        #expect(throws: LabFailure.self) { try lab.renew(for: servers, days: 30) }
        #expect(try read("viewer.pem") == before["viewer.pem"])
    }

    // MARK: Looking

    private func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: "\(lab.path)/\(name)")))
    }

    private func contents() throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in Self.certificates + Self.keys where access("\(lab.path)/\(name)", F_OK) == 0 {
            contents[name] = try read(name)
        }
        return contents
    }

    private func certificate(_ name: String) throws -> Certificate {
        try Certificate(pem: read(name))
    }

    private func mode(_ name: String) throws -> mode_t {
        var status = stat()
        try check("stat", on: name) { stat("\(lab.path)/\(name)", &status) }
        return status.st_mode & 0o777
    }

    /// Whole ones from now to its end.
    private func days(of certificate: borrowing Certificate) -> Int {
        var (days, seconds): (CInt, CInt) = (0, 0)
        // A day less some milliseconds would count as none.
        let now = X509_gmtime_adj(nil, -60)
        defer { ASN1_TIME_free(now) }
        ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate.pointer))
        return Int(days)
    }
}
