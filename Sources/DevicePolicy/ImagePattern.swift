import OCI
import RuntimeAPI

/// Images by their names or by what they are.
public enum ImagePattern: Hashable, Sendable, CustomStringConvertible {
    /// Of REPOSITORY:TAG, or of REPOSITORY alone, whatever the tag.
    case name(Glob)
    /// The one image whose configuration has this digest.
    case digest(Digest)

    static let any = ImagePattern.name(Glob("*"))

    /// - Returns: nil for a text that could match no image.
    public init?(_ text: String) {
        if text.hasPrefix("sha256:") {
            guard let digest = Digest(text) else { return nil }
            self = .digest(digest)
            return
        }
        // A name never has these, so that a pattern with them would hold nothing back.
        guard !text.isEmpty, !text.contains("@"), !text.contains(where: \.isWhitespace) else {
            return nil
        }
        self = .name(Glob(ImageReference.withoutEnginePrefix(text)))
    }

    /// - Parameter digest: of the image's configuration; nil where nobody knows it yet.
    func matches(_ name: ImageName, _ digest: Digest?) -> Bool {
        switch self {
        case .name(let glob): glob.matches(name.description) || glob.matches(name.repository)
        case .digest(let wanted): wanted == digest
        }
    }

    public var description: String {
        switch self {
        case .name(let glob): glob.pattern
        case .digest(let digest): digest.description
        }
    }
}
