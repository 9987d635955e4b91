import RuntimeAPI
import SystemIO

/// A container as an update sees it.
public struct ContainerDetails: Sendable {
    public enum Health: Sendable {
        /// The image does not say how to find out.
        case undefined
        case starting, healthy, unhealthy
    }

    public var id: String
    public var name: String
    /// Whether it runs, or is about to be started again.
    public var isUp: Bool
    /// Of no meaning while it is up.
    public var exitCode: Int
    public var createdAt: String
    /// Changes with every start.
    public var startedAt: String
    public var restarts: Int
    public var health: Health
    /// The labels it was given, those of ours too.
    public var labels: [String: String]
    /// What it was started with; nil when that was not done through this API.
    public var spec: ContainerSpec?
    /// Where it is reached from the device itself; nil when it has no network.
    public var address: String?
    /// Volumes by the paths at which it has them.
    public var volumes: [String: String]

    public init(id: String, name: String, isUp: Bool, spec: ContainerSpec?) {
        self.id = id
        self.name = name
        self.isUp = isUp
        self.spec = spec
        exitCode = 0
        createdAt = ""
        startedAt = ""
        restarts = 0
        health = .undefined
        labels = [:]
        volumes = [:]
    }
}

/// The steps an update is made of. Each is harmless when it is done twice.
///
/// Every method throws `RuntimeError` or `CancellationError`.
@EventLoop
public protocol UpdateEngine: AnyObject, Sendable {
    /// The container of exactly this name or id.
    func details(of container: String) async throws -> ContainerDetails?

    /// - Throws: `RuntimeError.notPermitted` for a container that was not started by us, unless
    ///   the policy lets us have it.
    func requireOwn(_ container: ContainerDetails) throws

    /// Finds out all that can be found out before anything is changed.
    func validate(_ spec: ContainerSpec, replacing old: ContainerDetails) async throws

    /// Creates the new container under a name for the time being, with the old one's volumes.
    ///
    /// - Returns: its id.
    func create(_ spec: ContainerSpec, replacing old: ContainerDetails) async throws -> String
    /// The containers that were created to replace this one, by their ids.
    func replacements(of id: String) async throws -> [String]

    /// The name of a container that is set aside.
    func asideName(of id: String) -> String
    func rename(_ id: String, to name: String) async throws

    /// Keeps the engine from starting it again, where the engine can be told.
    func setRestart(_ id: String, _ policy: ContainerSpec.RestartPolicy) async throws
    func stop(_ id: String) async throws
    func start(_ id: String, _ spec: ContainerSpec?, named name: String) async throws
    /// Removes it.
    ///
    /// - Parameter keepingVolumes: also those without a name of somebody's.
    func discard(_ id: String, keepingVolumes: Bool) async throws

    /// With what a container ended first since then; nil where nobody remembers.
    ///
    /// - Parameter time: a ``ContainerDetails/createdAt``.
    func exitCode(of id: String, since time: String) async throws -> Int?
    /// The last lines it wrote.
    func lastLines(of id: String) async throws -> String
    /// Waits until something happens to it, or the time is up.
    func waitForChange(of id: String, atMost duration: Duration) async throws
}
