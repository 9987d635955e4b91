/// The engine, and the room it has.
public struct EngineInfo: Codable, Hashable, Sendable {
    /// `docker`, `podman`: a name rather than an enum, since other engines come as other
    /// programs that serve the same interface.
    public var engine: String
    public var engineVersion: String
    /// nil when the runtime cannot see the file system.
    public var storage: Storage?

    public init(engine: String, engineVersion: String, storage: Storage?) {
        self.engine = engine
        self.engineVersion = engineVersion
        self.storage = storage
    }

    /// The file system that holds the engine's images, in bytes.
    public struct Storage: Codable, Hashable, Sendable {
        public var free: Int64
        public var total: Int64

        public init(free: Int64, total: Int64) {
            self.free = free
            self.total = total
        }
    }
}
