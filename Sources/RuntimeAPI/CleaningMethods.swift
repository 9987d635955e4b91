import Varlink

extension Runtime {
    /// Everything on the device, with what there is to know before anything is cleaned away.
    public enum SurveyUse: Method {
        public typealias Parameters = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).SurveyUse"

        public struct Reply: Codable, Hashable, Sendable {
            public var containers: [ContainerUse]
            public var images: [ImageUse]
            public var volumes: [VolumeUse]
            /// nil when the runtime cannot see the file system.
            public var storage: EngineInfo.Storage?

            public init(
                containers: [ContainerUse] = [], images: [ImageUse] = [],
                volumes: [VolumeUse] = [], storage: EngineInfo.Storage? = nil
            ) {
                self.containers = containers
                self.images = images
                self.volumes = volumes
                self.storage = storage
            }
        }
    }

    /// Removes a container that is still as ``SurveyUse`` told of it.
    public enum RemoveUnusedContainer: Method {
        public typealias Reply = Removal
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveUnusedContainer"

        public struct Parameters: Codable, Hashable, Sendable {
            public var id: String
            /// When it ended last; nil when it never ran.
            public var finished: Int64?

            public init(id: String, finished: Int64?) {
                self.id = id
                self.finished = finished
            }
        }
    }

    /// Removes an image, with all its names, that is still as ``SurveyUse`` told of it.
    public enum RemoveUnusedImage: Method {
        public typealias Reply = Removal
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveUnusedImage"

        public struct Parameters: Codable, Hashable, Sendable {
            public var id: String
            public var names: [ImageName]
            public var lastUsed: Int64

            public init(id: String, names: [ImageName], lastUsed: Int64) {
                self.id = id
                self.names = names
                self.lastUsed = lastUsed
            }
        }
    }

    /// Removes a volume that nobody named and no container mounts.
    public enum RemoveUnusedVolume: Method {
        public typealias Reply = Removal
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveUnusedVolume"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String

            public init(name: String) { self.name = name }
        }
    }

    /// What became of something that was to be removed.
    public struct Removal: Codable, Hashable, Sendable {
        /// Whether it was still there.
        public var removed: Bool

        public init(removed: Bool) { self.removed = removed }
    }
}

extension RuntimeClient {
    /// Everything on the device, with what there is to know before anything is cleaned away.
    public func surveyUse() async throws -> Runtime.SurveyUse.Reply {
        try await callForWhole(Runtime.SurveyUse.self, Nothing())
    }

    /// Removes a container that is still as it was surveyed.
    ///
    /// - Returns: false when it was gone already.
    /// - Throws: `RuntimeError.stillNeeded` when it is not, and what every call does.
    public func removeUnused(_ container: ContainerUse) async throws -> Bool {
        try await call(
            Runtime.RemoveUnusedContainer.self,
            .init(id: container.id, finished: container.finished)
        ).removed
    }

    /// Removes an image that is still as it was surveyed.
    public func removeUnused(_ image: ImageUse) async throws -> Bool {
        try await call(
            Runtime.RemoveUnusedImage.self,
            .init(id: image.id, names: image.names, lastUsed: image.lastUsed)
        ).removed
    }

    /// Removes a volume that is still unused, likewise.
    public func removeUnused(_ volume: VolumeUse) async throws -> Bool {
        try await call(Runtime.RemoveUnusedVolume.self, .init(name: volume.name)).removed
    }
}
