import GRPCCore
import Glibc
import SystemIO
import UpgradeAPI

/// Where packages wait to be installed, for a program with more rights than this one: a folder for
/// each upgrade, and a file that says which of them is to be installed. Its methods block, so they
/// are for threads of their own.
struct PackageInbox: Sendable {
    let path: String

    private static let sets = "sets"
    private static let requestName = "request"
    /// Upgrades that were begun and not asked for yet.
    static let mostSets = 4
    static let mostPackages = 16
    /// Seconds after which a set is not waited for any more.
    private static let patience = 24 * 60 * 60

    init(_ path: String) { self.path = path }

    var request: String { "\(path)/\(Self.requestName)" }

    /// The folder for an upgrade's packages, made where it is missing.
    ///
    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED, or `SystemError`.
    func folder(for upgrade: UpgradeIdentifier) throws -> Folder {
        let sets = try Folder(making: "\(path)/\(Self.sets)", mode: 0o700)
        let names = try sets.names()
        if !names.contains("\(upgrade)") {
            var waiting = 0
            for name in names {
                if try !removeOld("\(sets.path)/\(name)") { waiting += 1 }
            }
            guard waiting < Self.mostSets else {
                throw RPCError(
                    code: .resourceExhausted,
                    message: "\(waiting) upgrades have been begun and not activated")
            }
        }
        return try Folder(making: "\(sets.path)/\(upgrade)", mode: 0o700)
    }

    /// - Returns: whether it was old.
    private func removeOld(_ path: String) throws -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == ENOENT }
        guard time(nil) - status.st_mtim.tv_sec > Self.patience else { return false }
        for name in try Folder(existing: path).names() { unlink("\(path)/\(name)") }
        return rmdir(path) == 0
    }

    /// Puts a package that has come among those of its upgrade.
    ///
    /// - Throws: `RPCError`, or `SystemError`.
    func place(_ partial: PartialPackage, as file: PackageFile, in folder: Folder) throws {
        let names = try folder.names().filter { $0.hasSuffix(".deb") && !$0.hasPrefix(".") }
        // Another file of the same package takes the place of the one before.
        let replaced = names.filter { PackageFile($0)?.name == file.name }
        guard names.count - replaced.count < Self.mostPackages else {
            throw RPCError(
                code: .resourceExhausted,
                message: "an upgrade may have \(Self.mostPackages) packages")
        }
        for name in replaced {
            unlink("\(folder.path)/\(name)")
            unlink("\(folder.path)/\(name).sig")
        }
        try partial.rename(to: "\(folder.path)/\(file)")
        try folder.synchronise()
    }

    /// Asks for an upgrade to be installed.
    ///
    /// - Throws: `RPCError` with ABORTED where another one waits, or `SystemError`.
    func ask(for upgrade: UpgradeIdentifier, allowDowngrade: Bool) throws {
        guard access(request, F_OK) != 0 else {
            throw RPCError(code: .aborted, message: "another upgrade is under way")
        }
        try Folder(existing: path).replace(
            Self.requestName, with: Array("\(upgrade) \(allowDowngrade ? "yes" : "no")\n".utf8))
    }

    /// The upgrade that was asked for and has not been begun.
    func requested() -> UpgradeIdentifier? {
        guard let text = SmallFile.read(request) else { return nil }
        return UpgradeIdentifier(String(text.prefix { $0 != " " }))
    }
}

/// A package that is being received, and its signature: files that are removed unless they are
/// given their names.
final class PartialPackage: Sendable {
    let path: String
    private let file: Descriptor

    /// - Throws: `SystemError`.
    init(in folder: Folder, signature: [UInt8]) throws {
        path = "\(folder.path)/.partial-\(UpgradeIdentifier()).deb"
        file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL)
        let signatureFile = try Descriptor.open(
            "\(path).sig", O_WRONLY | O_CREAT | O_EXCL)
        try signature.withUnsafeBytes { try signatureFile.writeAll($0) }
    }

    deinit {
        // Nothing is there any more where they were given their names.
        unlink(path)
        unlink("\(path).sig")
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) { try file.writeAll(bytes) }

    func synchronise() throws(SystemError) {
        try check("fsync", on: path) { fsync(file.number) }
    }

    fileprivate func rename(to path: String) throws(SystemError) {
        // The signature first: a package without one is refused, one without a package not seen.
        try check("rename", on: path) { Glibc.rename("\(self.path).sig", "\(path).sig") }
        try check("rename", on: path) { Glibc.rename(self.path, path) }
    }
}
