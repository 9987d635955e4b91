import ContainerEngine
import RuntimeAPI
import SystemIO

@testable import ContainerUpdate

/// What survives when a program that talks to the engine is killed: the engine's containers.
@EventLoop
final class World {
    struct Box {
        var details: ContainerDetails
        var image: ImageName?
        var replaces: String?
        var lastExitCode: Int?
    }
    var containers: [String: Box] = [:]
    /// Steps that changed something, so far.
    var steps = 0
    /// What the engine has still to do.
    var late: @EventLoop () -> Void = {}
    private var nextID = 1

    init() {}

    func makeIdentifier() -> String {
        defer { nextID += 1 }
        return "id\(nextID)"
    }

    @discardableResult
    func add(_ name: String, image: ImageName?, up: Bool, id given: String? = nil) -> String {
        let id = given ?? makeIdentifier()
        var spec = ContainerSpec(image: image, name: name)
        spec.restart = .init(.always)
        containers[id] = Box(
            details: ContainerDetails(id: id, name: name, isUp: up, spec: spec), image: image)
        return id
    }
}

/// Dies at a step, for good: before the step took effect or right after.
@EventLoop
final class FakeEngine: UpdateEngine, EngineProvider {
    enum Death {
        case before(Int)
        case after(Int)
        /// The engine had the request, and carries it out when it gets round to it.
        case late(Int)
    }
    /// How the new container behaves.
    enum Behaviour {
        case runs, crashes, doesNotStart
        /// It ended, and the engine started it again before anybody looked.
        case returns
    }

    let world: World
    private let behaviour: Behaviour
    private let death: Death?
    private(set) var isDead = false

    init(_ world: World, _ behaviour: Behaviour = .runs, death: Death? = nil) {
        self.world = world
        self.behaviour = behaviour
        self.death = death
    }

    func kill() { isDead = true }

    func update<Result>(
        _ body: @EventLoop (any UpdateEngine) async throws -> Result
    ) async throws -> Result {
        try await body(self)
    }

    private func look() throws {
        if isDead { throw RuntimeError.engineUnavailable(reason: "killed") }
    }

    private func step(_ effect: @escaping @EventLoop () throws -> Void) throws {
        try look()
        world.steps += 1
        if case .before(let number) = death, number == world.steps {
            isDead = true
            try look()
        }
        if case .late(let number) = death, number == world.steps {
            isDead = true
            world.late = { try? effect() }
            try look()
        }
        try effect()
        if case .after(let number) = death, number == world.steps {
            isDead = true
            try look()
        }
    }

    func details(of container: String) async throws -> ContainerDetails? {
        try look()
        return world.containers.values.first {
            $0.details.id == container || $0.details.name == container
        }?.details
    }

    func requireOwn(_ container: ContainerDetails) throws {}

    func validate(_ spec: ContainerSpec, replacing old: ContainerDetails) async throws {
        try look()
        if let image = spec.image, image.tag == "missing" {
            throw RuntimeError.imageNotFound(image)
        }
    }

    func create(_ spec: ContainerSpec, replacing old: ContainerDetails) async throws -> String {
        let id = world.makeIdentifier()
        try step { [self] in
            world.add("new-\(old.id)", image: spec.image, up: false, id: id)
            world.containers[id]?.replaces = old.id
        }
        return id
    }

    func replacements(of id: String) async throws -> [String] {
        try look()
        return world.containers.values.filter { $0.replaces == id }.map(\.details.id)
    }

    func asideName(of id: String) -> String { "aside-\(id)" }

    func rename(_ id: String, to name: String) async throws {
        try step { [self] in
            let taken = world.containers.values.contains {
                $0.details.name == name && $0.details.id != id
            }
            if taken { throw RuntimeError.containerExists(name: name) }
            world.containers[id]?.details.name = name
        }
    }

    func setRestart(_ id: String, _ policy: ContainerSpec.RestartPolicy) async throws {
        try step { [self] in world.containers[id]?.details.spec?.restart = policy }
    }

    func stop(_ id: String) async throws {
        try step { [self] in world.containers[id]?.details.isUp = false }
    }

    func start(_ id: String, _ spec: ContainerSpec?, named name: String) async throws {
        try step { [self] in
            let isNew = world.containers[id]?.replaces != nil
            if isNew, behaviour == .doesNotStart {
                throw RuntimeError.startFailed(name: name, reason: "no such program")
            }
            world.containers[id]?.details.isUp = !isNew || behaviour != .crashes
            if isNew, behaviour == .crashes { world.containers[id]?.details.exitCode = 3 }
            if isNew, behaviour == .returns {
                world.containers[id]?.details.restarts = 1
                world.containers[id]?.lastExitCode = 3
            }
        }
    }

    func discard(_ id: String, keepingVolumes: Bool) async throws {
        try step { [self] in world.containers[id] = nil }
    }

    func exitCode(of id: String, since time: String) async throws -> Int? {
        world.containers[id]?.lastExitCode
    }

    func lastLines(of id: String) async throws -> String {
        "first\r\n\n\u{1B}[2Jcannot go on\r\n\n"
    }

    func waitForChange(of id: String, atMost duration: Duration) async throws {
        try look()
        try await EventLoop.sleep(for: duration)
    }
}
