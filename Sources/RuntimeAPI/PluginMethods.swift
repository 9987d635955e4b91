import Varlink

extension Runtime {
    /// The plugins, or the one of a name.
    public enum ListPlugins: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).ListPlugins"

        public struct Parameters: Codable, Hashable, Sendable {
            /// All of them when it is nil or empty.
            public var name: String?

            public init(name: String?) { self.name = name }
        }

        public struct Reply: Codable, Hashable, Sendable {
            public var plugins: [Plugin]

            public init(plugins: [Plugin]) { self.plugins = plugins }
        }
    }

    /// Makes a plugin from a tar archive and starts it, or starts one again.
    public enum StartPlugin: Method {
        public typealias Failure = RuntimeError
        public static let name = "\(interface).StartPlugin"
        public static let takesDescriptors = true

        public struct Parameters: Codable, Hashable, Sendable {
            public var name: String
            /// The index of the descriptor; nil to start one again that was stopped.
            public var archive: Int?

            public init(name: String, archive: Int?) {
                self.name = name
                self.archive = archive
            }
        }

        public struct Reply: Codable, Hashable, Sendable {
            /// The plugin's instance name, with its tag.
            public var name: String

            public init(name: String) { self.name = name }
        }
    }

    /// Stops a plugin that no volume needs.
    public enum StopPlugin: Method {
        public typealias Parameters = PluginName
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).StopPlugin"
    }

    /// Removes a plugin that was stopped.
    public enum RemovePlugin: Method {
        public typealias Parameters = PluginName
        public typealias Reply = Nothing
        public typealias Failure = RuntimeError
        public static let name = "\(interface).RemovePlugin"
    }

    /// The parameters of methods that need a plugin's name alone.
    public struct PluginName: Codable, Hashable, Sendable {
        public var name: String

        public init(name: String) { self.name = name }
    }
}
