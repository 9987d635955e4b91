import Varlink

extension Runtime {
    /// The volumes that match all filters.
    public enum ListVolumes: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).ListVolumes"

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
            public var volumes: [Volume]

            public init(volumes: [Volume]) { self.volumes = volumes }
        }
    }

    /// Creates a volume.
    public enum CreateVolume: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).CreateVolume"

        public struct Parameters: Codable, Hashable, Sendable {
            public var spec: VolumeSpec

            public init(spec: VolumeSpec) { self.spec = spec }
        }

        public struct Reply: Codable, Hashable, Sendable {
            /// The volume's name, made up when the request had none.
            public var name: String

            public init(name: String) { self.name = name }
        }
    }

    /// Removes a volume and what is in it.
    public enum RemoveVolume: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveVolume"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            /// Although its driver does not answer, where the engine can do that.
            public var force: Bool

            public init(name: String, force: Bool = false) {
                self.name = name
                self.force = force
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                name = try fields.decode(String.self, forKey: .name)
                force = try fields.decode(.force, default: false)
            }

            private enum CodingKeys: CodingKey { case name, force }
        }
    }
}
