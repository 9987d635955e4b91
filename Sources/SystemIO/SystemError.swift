import CSystem
import Glibc

/// A system call that failed: which one, on what, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call's name, as in its manual page.
    public var call: String
    /// What it was called on (a path, an address), when there is such a thing.
    public var subject: String?
    /// The value of errno(3).
    public var code: CInt

    public init(_ call: String, on subject: String? = nil, code: CInt = errno) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    /// The C library's text for the error, "No such file or directory".
    public var reason: String {
        String(cString: strerror(code))
    }

    public var description: String {
        if let subject { "\(subject): \(reason) (\(call))" } else { "\(call): \(reason)" }
    }
}

/// Runs a call that returns -1 on failure, again when a signal interrupted it.
///
/// - Throws: `SystemError` with the value of errno.
@discardableResult
@inline(__always)
public func check<Result: SignedInteger>(
    _ call: String, on subject: @autoclosure () -> String? = nil, _ body: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw SystemError(call, on: subject(), code: code) }
    }
}

/// Likewise, for a descriptor that does not block.
///
/// - Returns: nil when the call would have to wait.
@inline(__always)
func checkUnlessBusy<Result: SignedInteger>(
    _ call: String, _ body: () -> Result
) throws(SystemError) -> Result? {
    do {
        return try check(call, body)
    } catch  where error.code == EAGAIN {
        return nil
    }
}
