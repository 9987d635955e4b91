import ContainerzClient
import LabCertificates

/// Tells what a lab's files are for, and what comes next.
struct LabGuide {
    var folder: String
    var servers: [ServerName]

    struct File: Encodable {
        var file: String
        var use: String
    }

    /// Where containerzd's packages expect them.
    private static let deviceFolder = "/etc/containerz/tls"
    private typealias Identity = LabFolder.Identity

    var files: [File] {
        let device = "for the device, in \(Self.deviceFolder)"
        let write = "for clients that may do everything"
        let read = "for clients that may only look"
        return [
            file(Identity.authority.certificate, "for all clients: who signed the device's"),
            file(Identity.authority.key, "stays here: signs further certificates"),
            file(Identity.server.certificate, device), file(Identity.server.key, device),
            file(LabFolder.clientAuthority, device),
            file(Identity.operator.certificate, write), file(Identity.operator.key, write),
            file(Identity.viewer.certificate, read), file(Identity.viewer.key, read),
        ]
    }

    var text: String {
        let width = files.map(\.file.count).max() ?? 0
        let lines = files.map { file in
            file.file + String(repeating: " ", count: width - file.file.count + 2) + file.use
        }
        return (lines + [""] + commands + [""]).joined(separator: "\n")
    }

    /// What to do next: start the device's side, and use it.
    private var commands: [String] {
        let server = servers.first?.description ?? ""
        let isHere = ["localhost", "127.0.0.1", "::1"].contains(server)
        let target = server.contains(":") ? "[\(server)]" : server
        let device = StartOptions.quoted("\(folder)/\(LabFolder.deviceFolder)")
        let start =
            if isHere {
                """
                containerzd --tls-cert \(device)/server.pem --tls-key \(device)/server.key \
                --client-ca \(device)/client-ca.pem
                """
            } else {
                // Only its group may read the key, and the archive says so.
                """
                tar -C \(device) --owner=root:0 --group=containerz:0 --mode=u=rw,g=r,o= -c \
                server.pem server.key client-ca.pem | ssh root@\(server) 'tar -C \
                \(Self.deviceFolder) -x && systemctl stop containerzd && systemctl start \
                containerzd-tls.socket containerzd'
                """
            }
        return [
            start,
            """
            cz --target \(StartOptions.quoted(target)) --ca \(path(Identity.authority.certificate)) --cert \
            \(path(Identity.operator.certificate)) --key \(path(Identity.operator.key)) \
            container list
            """,
        ]
    }

    private func file(_ name: String, _ use: String) -> File {
        File(file: "\(folder)/\(name)", use: use)
    }

    private func path(_ name: String) -> String { StartOptions.quoted("\(folder)/\(name)") }
}
