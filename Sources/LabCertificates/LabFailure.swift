import COpenSSL

/// What could not be made, and why.
public struct LabFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }

    /// What OpenSSL failed at, with its reason.
    static func openSSL(_ what: String) -> LabFailure {
        var text = [CChar](repeating: 0, count: 256)
        let error = ERR_get_error()
        ERR_clear_error()
        guard error != 0 else { return LabFailure("cannot \(what)") }
        ERR_error_string_n(error, &text, text.count)
        let reason = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        return LabFailure("cannot \(what): \(reason)")
    }
}
