import FoundationEssentials
import Varlink

extension Runtime {
    /// Hands over the signatures that came with an image.
    public enum AttachSignatures: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).AttachSignatures"

        public struct Parameters: Codable, Hashable, Sendable {
            /// The digest of the image's configuration.
            public var image: String
            /// What it was loaded as; nil to ask nothing of the policy.
            public var name: ImageName?
            /// The image's manifest, to the letter.
            public var manifest: Data?
            /// The index that lists the manifest, where that is what was signed.
            public var index: Data?
            public var signatures: [Signature]

            public init(
                image: String, name: ImageName?, manifest: Data? = nil, index: Data? = nil,
                signatures: [Signature] = []
            ) {
                self.image = image
                self.name = name
                self.manifest = manifest
                self.index = index
                self.signatures = signatures
            }
        }

        /// In base64 on the wire.
        public struct Signature: Codable, Hashable, Sendable {
            public var payload: Data
            public var signature: Data

            public init(payload: Data, signature: Data) {
                self.payload = payload
                self.signature = signature
            }
        }
    }
}

extension RuntimeClient {
    /// Hands over the signatures that came with an image, if any, and asks whether the image may
    /// run under its name.
    public func attachSignatures(_ signatures: Runtime.AttachSignatures.Parameters) async throws {
        _ = try await call(Runtime.AttachSignatures.self, signatures)
    }
}
