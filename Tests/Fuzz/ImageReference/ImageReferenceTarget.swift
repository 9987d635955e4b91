import FuzzSupport
import OCI

/// A reference is made of its grammar's characters alone, and its text parses to itself.
@main struct ImageReferenceTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let text = input.text
        if let digest = Digest(text) { requireEqual(digest.description, text) }
        guard let reference = try? ImageReference(parsing: text) else {
            return describeError(text)
        }
        requireEqual(reference.description, text)
        requireEqual(try? ImageReference(parsing: reference.description), reference)
        let tagged = try? ImageReference(parsing: reference.tagged)
        requireEqual(tagged?.repository, reference.repository)
        let familiar = reference.familiar
        requireEqual(try? ImageReference(parsing: familiar.description), familiar)
        requireEqual(
            try? ImageReference(
                repository: reference.repository, tag: reference.tag, digest: reference.digest),
            reference)
        let marks = Array("./:_-[]".utf8)
        for byte in reference.repository.utf8 {
            let scalar = Unicode.Scalar(byte)
            require(
                scalar.isASCII && scalar.properties.isAlphabetic
                    || scalar.properties.numericType != nil || marks.contains(byte),
                "'\(reference.repository)' is not made of a reference's characters")
        }
    }

    /// What goes to users and into logs has no control characters.
    private static func describeError(_ text: String) {
        do {
            _ = try ImageReference(parsing: text)
        } catch {
            require(
                error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 },
                "control characters in '\(error)'")
        }
    }
}
