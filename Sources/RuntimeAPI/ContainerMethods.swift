import Varlink

extension Runtime {
    /// The running containers, or all.
    public enum ListContainers: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).ListContainers"

        public struct Parameters: Codable, Hashable, Sendable {
            /// Those that do not run as well.
            public var all: Bool
            /// The most to return, where positive.
            public var limit: Int
            public var filters: Filters

            public init(all: Bool = false, limit: Int = 0, filters: Filters = [:]) {
                self.all = all
                self.limit = limit
                self.filters = filters
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                all = try fields.decode(.all, default: false)
                limit = try fields.decode(.limit, default: 0)
                filters = try fields.decode(.filters, default: [:])
            }

            private enum CodingKeys: CodingKey { case all, limit, filters }
        }

        public struct Reply: Codable, Hashable, Sendable {
            public var containers: [Container]

            public init(containers: [Container]) { self.containers = containers }
        }
    }

    /// Creates a container and starts it, or starts a stopped one.
    public enum StartContainer: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).StartContainer"

        public struct Parameters: Codable, Hashable, Sendable {
            public var spec: ContainerSpec

            public init(spec: ContainerSpec) { self.spec = spec }
        }

        public struct Reply: Codable, Hashable, Sendable {
            /// The instance name, made up when the request had none.
            public var name: String

            public init(name: String) { self.name = name }
        }
    }

    /// Stops a container, or with `restart` stops and starts it.
    public enum StopContainer: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).StopContainer"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            /// Kills it at once.
            public var force: Bool
            public var restart: Bool

            public init(name: String, force: Bool = false, restart: Bool = false) {
                self.name = name
                self.force = force
                self.restart = restart
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                name = try fields.decode(String.self, forKey: .name)
                force = try fields.decode(.force, default: false)
                restart = try fields.decode(.restart, default: false)
            }

            private enum CodingKeys: CodingKey { case name, force, restart }
        }
    }

    /// Removes a container.
    public enum RemoveContainer: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemoveContainer"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            /// Although it runs.
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

    /// Replaces a container by one of another image, or leaves it as it is.
    public enum UpdateContainer: Method {
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).UpdateContainer"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            public var image: ImageName
            /// What differs from the old container; its image and name are ignored.
            public var settings: ContainerSpec
            /// Reply after the request was validated.
            public var detach: Bool

            public init(
                name: String, image: ImageName, settings: ContainerSpec = ContainerSpec(),
                detach: Bool = false
            ) {
                self.name = name
                self.image = image
                self.settings = settings
                self.detach = detach
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                name = try fields.decode(String.self, forKey: .name)
                image = try fields.decode(ImageName.self, forKey: .image)
                settings = try fields.decode(.settings, default: ContainerSpec())
                detach = try fields.decode(.detach, default: false)
            }

            private enum CodingKeys: CodingKey { case name, image, settings, detach }
        }
    }

    /// What a container was given of the device.
    public enum GetGrant: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).GetGrant"

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String

            public init(name: String) { self.name = name }
        }

        public struct Reply: Codable, Hashable, Sendable {
            /// While the container is being updated, of the new one; nil for a container that is
            /// gone or was not started through this interface.
            public var grant: Grant?

            public init(grant: Grant?) { self.grant = grant }
        }
    }

    /// What a container wrote, to a passed descriptor or as replies.
    public enum StreamLogs: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).StreamLogs"
        public static let takesDescriptors = true

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            /// Until the container is done for good.
            public var follow: Bool
            /// The index of the descriptor to write to; nil for replies.
            public var output: Int?

            public init(name: String, follow: Bool = false, output: Int? = nil) {
                self.name = name
                self.follow = follow
                self.output = output
            }

            public init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                name = try fields.decode(String.self, forKey: .name)
                follow = try fields.decode(.follow, default: false)
                output = try fields.decodeIfPresent(Int.self, forKey: .output)
            }

            private enum CodingKeys: CodingKey { case name, follow, output }
        }

        public struct Reply: Codable, Hashable, Sendable {
            /// A chunk in base64; nil in the last reply.
            public var data: String?

            public init(data: String? = nil) { self.data = data }
        }
    }
}
