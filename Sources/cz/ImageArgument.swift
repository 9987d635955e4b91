import ArgumentParser
import OCI

/// `NAME` or `NAME:TAG`.
struct ImageArgument: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let name: String
    let tag: String

    init?(argument: String) {
        guard let reference = try? ImageReference(parsing: argument), reference.digest == nil else {
            return nil
        }
        name = reference.repository
        tag = reference.tag ?? ImageReference.defaultTag
    }

    var description: String { "\(name):\(tag)" }
}
