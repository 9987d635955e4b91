import Varlink

extension Runtime {
    /// The images that match all filters.
    public enum ListImages: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).ListImages"

        public struct Parameters: Codable, Hashable, Sendable {
            public var filters: Filters

            public init(filters: Filters = [:]) { self.filters = filters }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                filters = try fields.decode(.filters, default: [:])
            }

            private enum CodingKeys: CodingKey { case filters }
        }

        public struct Reply: Codable, Hashable, Sendable {
            public var images: [Image]

            public init(images: [Image]) { self.images = images }
        }
    }

    /// Loads an image from the stream that a passed descriptor yields.
    public enum LoadImage: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).LoadImage"
        public static let takesDescriptors = true

        public struct Parameters: Codable, Hashable, Sendable {
            /// The index of the descriptor.
            public var archive: Int
            /// The only tag in the archive; nil for whatever that is.
            public var image: ImageName?
            /// Whether it can be fetched again from where it comes; nil for false.
            public var fetched: Bool?

            public init(archive: Int = 0, image: ImageName?, fetched: Bool? = nil) {
                self.archive = archive
                self.image = image
                self.fetched = fetched
            }
        }

        /// Progress, or, in the last reply, what was loaded.
        public struct Reply: Codable, Hashable, Sendable {
            public var loaded: [ImageName]?
            /// Bytes read so far.
            public var received: Int64?

            public init(loaded: [ImageName]? = nil, received: Int64? = nil) {
                self.loaded = loaded
                self.received = received
            }
        }
    }

    /// Gives an image another name.
    public enum TagImage: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).TagImage"

        public struct Parameters: Codable, Hashable, Sendable {
            public var image: ImageName
            public var `as`: ImageName

            public init(image: ImageName, as newName: ImageName) {
                self.image = image
                self.as = newName
            }
        }
    }

    /// Removes a name, and the image with its last name.
    public enum RemoveImage: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveImage"

        public struct Parameters: Codable, Hashable, Sendable {
            public var image: ImageName
            /// Although a stopped container uses it.
            public var force: Bool

            public init(image: ImageName, force: Bool = false) {
                self.image = image
                self.force = force
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                image = try fields.decode(ImageName.self, forKey: .image)
                force = try fields.decode(.force, default: false)
            }

            private enum CodingKeys: CodingKey { case image, force }
        }
    }
}
