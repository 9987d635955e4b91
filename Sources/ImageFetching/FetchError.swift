import Glibc
import OCI
import SystemIO

/// Why an image could not be fetched.
public enum FetchError: Error, Hashable, Sendable {
    /// There is no such image, tag or blob.
    case notFound(String)
    /// The registry wants other credentials, or any.
    case unauthenticated(String)
    /// It does not let these credentials do that.
    case forbidden(String)
    /// Nobody answers, or not in a way that helps.
    case unavailable(String)
    /// The address of `host`, HOST:PORT, is one that must not be connected to.
    case addressDenied(host: String, String)
    /// What came is not what was promised.
    case corrupt(String)
    /// The image is not made for this machine.
    case noPlatform(wanted: Platform, found: [String])
    /// What was asked for cannot be right.
    case invalid(String)
    /// The cache cannot be used.
    case cache(SystemError)
}

extension FetchError {
    /// One word for scripts.
    public var kind: String {
        switch self {
        case .notFound: "notFound"
        case .unauthenticated: "unauthenticated"
        case .forbidden: "forbidden"
        case .unavailable: "unavailable"
        case .addressDenied: "addressDenied"
        case .corrupt: "corrupt"
        case .noPlatform: "noPlatform"
        case .invalid: "invalid"
        case .cache(let error): error.code == ENOSPC ? "noSpace" : "failed"
        }
    }
}

extension FetchError: CustomStringConvertible {
    /// A sentence for the user.
    public var description: String {
        switch self {
        case .notFound(let what), .unauthenticated(let what), .forbidden(let what),
            .unavailable(let what), .addressDenied(_, let what), .corrupt(let what),
            .invalid(let what):
            what
        case .cache(let error): "the cache cannot be used: \(error)"
        case .noPlatform(let wanted, let found):
            "there is no image for \(wanted), only for \(found.joined(separator: ", "))"
        }
    }
}
