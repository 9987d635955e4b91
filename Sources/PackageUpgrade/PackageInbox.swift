import GRPCCore
import Glibc
import Synchronization
import SystemIO
import UpgradeAPI

/// Where packages wait to be installed, for a program with more rights than this one, which only
/// reads here: a folder for each upgrade, and a file that says which of them was asked for last. Its
/// methods block, so they are for threads of their own.
final class PackageInbox: Sendable {
    let path: String
    let resultPath: String
    /// One change of the folders at a time.
    private let changing = Mutex(())

    private static let setsName = "sets"
    private static let requestName = "request"
    /// Upgrades that were begun and not asked for yet.
    static let mostSets = 4
    static let mostPackages = 16
    /// Seconds after which a set is not waited for any more.
    private static let patience = 24 * 60 * 60

    init(_ path: String, result: String) {
        self.path = path
        resultPath = result
    }

    var request: String { "\(path)/\(Self.requestName)" }
    private var sets: String { "\(path)/\(Self.setsName)" }

    /// What became of the last upgrade that was begun.
    func result() -> UpgradeResult? {
        SmallFile.read(resultPath).flatMap(UpgradeResult.init(parsing:))
    }

    /// The upgrade that was asked for last.
    func requested() -> UpgradeIdentifier? {
        guard let text = SmallFile.read(request) else { return nil }
        return UpgradeIdentifier(String(text.prefix { $0 != " " }))
    }

    /// A file to receive a package into.
    ///
    /// - Throws: `SystemError`.
    func receive(signature: [UInt8]) throws -> PartialPackage {
        try PartialPackage(in: Folder(making: path, mode: 0o700), signature: signature)
    }

    /// Puts a package that has come among those of its upgrade.
    ///
    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED, or `SystemError`.
    func place(
        _ partial: PartialPackage, as file: PackageFile, of upgrade: UpgradeIdentifier
    ) throws {
        try changing.withLock { _ in
            try requireRoom(for: upgrade)
            let folder = try Folder(making: "\(sets)/\(upgrade)", mode: 0o700)
            let names = try folder.names().filter { PackageFile($0) != nil }
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
    }

    /// Asks for an upgrade to be installed.
    ///
    /// - Throws: `RPCError` with ABORTED while another one is under way, or `SystemError`.
    func ask(for upgrade: UpgradeIdentifier, allowDowngrade: Bool) throws {
        try changing.withLock { _ in
            let result = result()
            let isPending = requested().map { $0 != result?.upgrade } ?? false
            guard !isPending, result?.state != .installing else {
                throw RPCError(
                    code: .aborted, message: "another upgrade is under way; try again later")
            }
            try Folder(existing: path).replace(
                Self.requestName, with: Array("\(upgrade) \(allowDowngrade ? "yes" : "no")\n".utf8))
        }
    }

    /// Removes what is not waited for any more: packages of an upgrade that is over, and of those
    /// that nobody has asked for in a day.
    func tidy() {
        changing.withLock { _ in
            let over = result().flatMap { $0.state == .installing ? nil : $0.upgrade }
            for name in (try? Folder(existing: sets).names()) ?? [] {
                let path = "\(sets)/\(name)"
                if name == over?.description || isOld(path) { Self.remove(path) }
            }
            // What was being received when this service was killed.
            for name in (try? Folder(existing: path).names()) ?? []
            where name.hasPrefix(PartialPackage.prefix) && isOld("\(path)/\(name)") {
                unlink("\(path)/\(name)")
            }
        }
    }

    private func requireRoom(for upgrade: UpgradeIdentifier) throws {
        let names = try Folder(making: sets, mode: 0o700).names()
        guard !names.contains("\(upgrade)"), names.count >= Self.mostSets else { return }
        throw RPCError(
            code: .resourceExhausted,
            message: "\(names.count) upgrades have been begun and not activated")
    }

    private func isOld(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && time(nil) - status.st_mtim.tv_sec > Self.patience
    }

    private static func remove(_ path: String) {
        for name in (try? Folder(existing: path).names()) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// A package that is being received, and its signature: files that are removed unless they are
/// given their names.
final class PartialPackage: Sendable {
    static let prefix = ".partial-"

    let path: String
    private let file: Descriptor

    /// - Throws: `SystemError`.
    fileprivate init(in folder: Folder, signature: [UInt8]) throws {
        path = "\(folder.path)/\(Self.prefix)\(UpgradeIdentifier()).deb"
        file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL)
        let signatureFile = try Descriptor.open("\(path).sig", O_WRONLY | O_CREAT | O_EXCL)
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
