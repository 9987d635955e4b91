import ContainerEngine
import ContainerUpdate
import DevicePolicy
import Logging
import RuntimeAPI
import SystemIO
import Varlink

extension RuntimeService {
    func addCleaning(to service: inout Service) {
        service.answerInParts(Runtime.SurveyUse.self) { _ in try await survey() }
        // In tasks of their own: the engine goes on with a removal when whoever asked is gone, and
        // until it is over nobody may begin to use the thing.
        service.answer(Runtime.RemoveUnusedContainer.self) { call in
            .init(
                removed: try await EventLoop.task { try await removeUnused(call.parameters) }.value)
        }
        service.answer(Runtime.RemoveUnusedImage.self) { call in
            .init(
                removed: try await EventLoop.task { try await removeUnused(call.parameters) }.value)
        }
        service.answer(Runtime.RemoveUnusedVolume.self) { call in
            let name = call.parameters.name
            return .init(
                removed: try await EventLoop.task { try await removeUnused(volume: name) }.value)
        }
    }

    // MARK: Survey

    private func survey() async throws -> Runtime.SurveyUse.Reply {
        let time = records.time
        var (survey, storage) = try await engines.use { engine in
            (try await engine.surveyUse(), FileSystemSpace(holding: engine.storageRoot))
        }
        survey.storage = storage.map { .init(free: $0.free, total: $0.total) }
        let ours = Set(survey.containers.filter(\.managed).map(\.name))
        records.surveyed(
            images: Dictionary(
                survey.images.map { ($0.id, $0.container != nil) }, uniquingKeysWith: { $1 }),
            volumes: Dictionary(
                survey.volumes.map { volume in
                    (volume.name, volume.anonymous && volume.container.map(ours.contains) ?? false)
                }, uniquingKeysWith: { $1 }),
            asOf: time)
        let updated = updater.imagesUnderUpdate
        for index in survey.images.indices {
            let image = survey.images[index]
            if let record = records.image(image.id) {
                survey.images[index].lastUsed = record.lastUsed
                survey.images[index].managed = record.managed
                survey.images[index].fetched = image.fetched || record.fetched
            }
            survey.images[index].held =
                updated.isDisjoint(with: image.names)
                ? reservations.user(ofImage: image.id, names: Set(image.names))
                : Self.updateReason
        }
        for index in survey.containers.indices where survey.containers[index].held == nil {
            let name = survey.containers[index].name
            survey.containers[index].held =
                updater.isBusy(name) ? Self.updateReason : reservations.holder(ofContainer: name)
        }
        for index in survey.volumes.indices {
            let name = survey.volumes[index].name
            if records.isManaged(volume: name) { survey.volumes[index].managed = true }
            survey.volumes[index].held = reservations.holder(ofVolume: name)
        }
        return survey
    }

    private static let updateReason = "an update is under way"

    // MARK: Removal

    private func removeUnused(
        _ wanted: Runtime.RemoveUnusedContainer.Parameters
    ) async throws -> Bool {
        try await reservations.remove { removal in
            var name = wanted.id
            let removed = try await engines.use { engine in
                let image = try await engine.imageID(ofContainer: wanted.id)
                return try await engine.removeUnused(wanted) { found in
                    name = found
                    if updater.isBusy(found) {
                        throw RuntimeError.stillNeeded(found, reason: Self.updateReason)
                    }
                    try removal.claim(container: found)
                    // Until now a container used it.
                    if let image { records.used([image]) }
                }
            }
            if removed {
                await updater.forget(name)
                logger.info("cleaned away", metadata: ["container": "\(name)"])
            }
            return removed
        }
    }

    private func removeUnused(
        _ wanted: Runtime.RemoveUnusedImage.Parameters
    ) async throws -> Bool {
        try await reservations.remove { removal in
            let names = wanted.names.sorted { "\($0)" < "\($1)" }
            let title = names.first?.description ?? wanted.id
            let removed = try await engines.use { engine in
                try await engine.removeUnused(wanted) { id in
                    let record = records.image(id)
                    if !(record?.managed ?? false) {
                        try policies.policy.checkForeign("image \(title)")
                    }
                    guard record.map({ $0.lastUsed <= wanted.lastUsed }) ?? true else {
                        throw RuntimeError.stillNeeded(title, reason: "it was used meanwhile")
                    }
                    guard updater.imagesUnderUpdate.isDisjoint(with: names) else {
                        throw RuntimeError.stillNeeded(title, reason: Self.updateReason)
                    }
                    try removal.claim(image: id, names: Set(names))
                }
            }
            if removed {
                await forgetRemovedImages()
                logger.info("cleaned away", metadata: ["image": "\(title)", "id": "\(wanted.id)"])
            }
            return removed
        }
    }

    private func removeUnused(volume name: String) async throws -> Bool {
        try await reservations.remove { removal in
            let removed = try await engines.use { engine in
                try await engine.removeUnused(volume: name) { isOwn in
                    if !isOwn, !records.isManaged(volume: name) {
                        try policies.policy.checkForeign("volume \(name)")
                    }
                    try removal.claim(volume: name)
                }
            }
            if removed { logger.info("cleaned away", metadata: ["volume": "\(name)"]) }
            return removed
        }
    }

    // MARK: Notes of use

    /// What a start, or the settings of an update, put to use.
    static func things(of spec: ContainerSpec) -> Reservations.Things {
        Reservations.Things(
            images: familiar([spec.image]), containers: spec.name.isEmpty ? [] : [spec.name],
            volumes: Set(spec.volumes.map(\.name)))
    }

    /// As the engine's images are listed; a name that is none is refused by who gets it.
    static func familiar(_ names: [ImageName?]) -> Set<ImageName> {
        Set(names.compactMap { $0 }.map { (try? $0.familiar()) ?? $0 })
    }

    /// A container uses its image now.
    func noteUse(by container: String) async {
        // Without it the next survey finds the container, or its use counts from before.
        guard
            let id = try? await engines.use({ try await $0.imageID(ofContainer: container) })
        else { return }
        records.used([id])
    }

    func noteLoad(of names: [ImageName], fetched: Bool) async {
        do {
            records.loaded(
                try await engines.use { try await $0.imageIDs(of: names) }, fetched: fetched)
        } catch {
            logger.warning(
                "it cannot be written down that images were loaded",
                metadata: ["reason": "\(error)"])
        }
    }
}
