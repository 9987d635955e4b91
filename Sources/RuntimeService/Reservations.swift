import RuntimeAPI
import SystemIO

/// What is being put to use at this moment, and what is being cleaned away: never the same thing.
///
/// Whoever puts something to use waits while it is being removed, which is short; whoever cleans
/// up does not wait for those who use it, but leaves it.
@EventLoop
final class Reservations {
    /// What an operation puts to use.
    struct Things: Hashable, Sendable {
        var images: Set<ImageName> = []
        var imageIDs: Set<String> = []
        /// By their instance names.
        var containers: Set<String> = []
        var volumes: Set<String> = []
        /// An image that is coming in may share layers with any other.
        var isLoad = false
    }

    /// What a removal keeps everybody else from.
    private enum Scope {
        /// Until it is known what the thing to be removed is called.
        case everything
        case image(id: String, names: Set<ImageName>)
        case container(name: String)
        case volume(name: String)
    }

    private var uses: [UInt64: Things] = [:]
    private var nextUse: UInt64 = 0
    private var removal: Scope?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs `body` once nothing that it uses is being removed; until it ends nothing of it will be.
    func use<Result>(
        _ things: Things, _ body: @EventLoop () async throws -> Result
    ) async throws -> Result {
        while let removal, Self.concerns(removal, things) { await change() }
        try Task.checkCancellation()
        nextUse += 1
        let number = nextUse
        uses[number] = things
        defer { uses[number] = nil }
        return try await body()
    }

    /// Runs `body`, which removes something, while nobody begins to use anything; once it has
    /// said what it removes, while nobody begins to use that. One removal at a time.
    func remove<Result>(
        _ body: @EventLoop (Removal) async throws -> Result
    ) async throws -> Result {
        while removal != nil { await change() }
        try Task.checkCancellation()
        removal = .everything
        defer {
            removal = nil
            wake()
        }
        return try await body(Removal(reservations: self))
    }

    /// The claim of whoever removes something.
    @EventLoop
    struct Removal {
        fileprivate let reservations: Reservations

        /// - Throws: `RuntimeError.stillNeeded`.
        func claim(image id: String, names: Set<ImageName>) throws(RuntimeError) {
            if let reason = reservations.holder(ofImage: id, names: names) {
                throw .stillNeeded(names.map(\.description).min() ?? id, reason: reason)
            }
            reservations.narrow(to: .image(id: id, names: names))
        }

        /// - Throws: `RuntimeError.stillNeeded`.
        func claim(container name: String) throws(RuntimeError) {
            if let reason = reservations.holder(ofContainer: name) {
                throw .stillNeeded(name, reason: reason)
            }
            reservations.narrow(to: .container(name: name))
        }

        /// - Throws: `RuntimeError.stillNeeded`.
        func claim(volume name: String) throws(RuntimeError) {
            if let reason = reservations.holder(ofVolume: name) {
                throw .stillNeeded(name, reason: reason)
            }
            reservations.narrow(to: .volume(name: name))
        }
    }

    // MARK: Who needs what

    private static let useReason = "it is being put to use"

    /// Who keeps an image from being removed at this moment; a load under way keeps all of them.
    func holder(ofImage id: String, names: Set<ImageName>) -> String? {
        uses.values.contains(where: \.isLoad)
            ? "an image is being loaded" : user(ofImage: id, names: names)
    }

    /// Who puts this very image to use.
    func user(ofImage id: String, names: Set<ImageName>) -> String? {
        uses.values.contains {
            $0.imageIDs.contains(id) || !$0.images.isDisjoint(with: names)
        } ? Self.useReason : nil
    }

    func holder(ofContainer name: String) -> String? {
        uses.values.contains { $0.containers.contains(name) } ? Self.useReason : nil
    }

    func holder(ofVolume name: String) -> String? {
        uses.values.contains { $0.volumes.contains(name) } ? Self.useReason : nil
    }

    // MARK: Waiting

    private func change() async {
        await withCheckedContinuation { waiting.append($0) }
    }

    private func wake() {
        let woken = waiting
        waiting = []
        for continuation in woken { continuation.resume() }
    }

    private func narrow(to scope: Scope) {
        removal = scope
        wake()
    }

    private static func concerns(_ removal: Scope, _ things: Things) -> Bool {
        switch removal {
        case .everything: true
        case .image(let id, let names):
            things.isLoad || things.imageIDs.contains(id) || !things.images.isDisjoint(with: names)
        case .container(let name): things.containers.contains(name)
        case .volume(let name): things.volumes.contains(name)
        }
    }
}
