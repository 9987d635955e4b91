import ContainerEngine
import ContainerUpdate
import FoundationEssentials
import Logging
import PrintableText
import RuntimeAPI
import SystemIO
import Varlink

/// What cz-runtime serves: the methods of `org.containerz.Runtime`, each carried out by the
/// engine.
@EventLoop
public struct RuntimeService {
    let engines: EngineConnector
    let updater: Updater
    let policies: PolicyKeeper
    let signatures: SignatureStore
    let records: UseRecords
    let reservations = Reservations()
    private let followers = OpenEndedWork()
    let logger: Logger

    public init(
        _ engines: EngineConnector, _ updater: Updater, _ policies: PolicyKeeper,
        _ records: UseRecords, logger: Logger
    ) {
        self.engines = engines
        self.updater = updater
        self.policies = policies
        self.records = records
        signatures = policies.signatures
        self.logger = logger
    }

    /// Sends whoever follows a log away, to come again when there is a cz-runtime again.
    public func drain() { followers.stop() }

    /// Writes to the log that a call was refused or failed. The caller is added to it as to every
    /// line that is written while a call is answered.
    public nonisolated func report(_ call: AnsweredCall) {
        guard case .failed(let error) = call.outcome else { return }
        logger.notice(
            "refused",
            metadata: [
                "method": "\(call.method ?? "unknown")", "error": "\(error)",
                "reason": "\(excerpt(call.reason ?? "", upTo: Self.longestReason))",
            ])
    }

    /// Characters of a reason in the log: engines' messages can be long.
    private nonisolated static let longestReason = 512

    /// Adds the caller to what is written to the log while a call is answered.
    public nonisolated static let callerMetadata = Logger.MetadataProvider {
        guard let caller = Caller.current else { return [:] }
        return ["caller_uid": "\(caller.userID)", "caller_pid": "\(caller.processID)"]
    }

    /// The interface with all its handlers.
    public func interface() -> Service {
        var service = Service(interface: Runtime.interface, description: Runtime.interfaceText)
        addImages(to: &service)
        addContainers(to: &service)
        addVolumes(to: &service)
        addPlugins(to: &service)
        addCleaning(to: &service)
        return service
    }

    private func addImages(to service: inout Service) {
        service.answer(Runtime.GetInfo.self) { _ in
            try await engines.use { engine in
                // Asked for, so that an engine that is gone shows.
                try await engine.ping()
                let space = FileSystemSpace(holding: engine.storageRoot)
                return EngineInfo(
                    engine: engine.name, engineVersion: engine.version,
                    storage: space.map { .init(free: $0.free, total: $0.total) })
            }
        }
        service.answerInParts(Runtime.ListImages.self) { call in
            .init(images: try await engines.use { try await $0.images(call.parameters.filters) })
        }
        service.answer(Runtime.LoadImage.self) { call in
            try await load(call)
        }
        service.answer(Runtime.AttachSignatures.self) { call in
            let wanted = call.parameters
            let things = Reservations.Things(
                images: Self.familiar([wanted.name]), imageIDs: [wanted.image])
            try await reservations.use(things) { try await attach(wanted) }
            return Nothing()
        }
        service.answer(Runtime.TagImage.self) { call in
            let image = call.parameters.image
            let things = Reservations.Things(
                images: Self.familiar([image, call.parameters.as]))
            try await reservations.use(things) {
                try await engines.use { try await $0.tag(image, as: call.parameters.as) }
            }
            logger.info("tagged", metadata: ["image": "\(image)", "as": "\(call.parameters.as)"])
            return Nothing()
        }
        service.answer(Runtime.RemoveImage.self) { call in
            let (image, force) = (call.parameters.image, call.parameters.force)
            try await engines.use { try await $0.remove(image, force: force) }
            await forgetRemovedImages()
            logger.info("removed", metadata: ["image": "\(image)"])
            return Nothing()
        }
    }

    private func addContainers(to service: inout Service) {
        service.answerInParts(Runtime.ListContainers.self) { call in
            let wanted = call.parameters
            let containers = try await engines.use {
                try await $0.containers(
                    all: wanted.all, limit: wanted.limit, filters: wanted.filters)
            }
            return .init(containers: updater.annotate(containers))
        }
        service.answer(Runtime.StartContainer.self) { call in
            let spec = call.parameters.spec
            let name = try await reservations.use(Self.things(of: spec)) {
                let name = try await updater.handOver(spec.name) {
                    try await engines.use { try await $0.start(spec) }
                }
                await noteUse(by: name)
                return name
            }
            logger.info("started", metadata: ["container": "\(name)"])
            return .init(name: name)
        }
        service.answer(Runtime.StopContainer.self) { call in
            let wanted = call.parameters
            try await reservations.use(.init(containers: [wanted.name])) {
                try await updater.handOver(wanted.name) {
                    try await engines.use {
                        try await $0.stop(
                            container: wanted.name, force: wanted.force, restart: wanted.restart)
                    }
                }
            }
            logger.info(
                wanted.restart ? "restarted" : "stopped", metadata: ["container": "\(wanted.name)"])
            return Nothing()
        }
        service.answer(Runtime.RemoveContainer.self) { call in
            let wanted = call.parameters
            try await reservations.use(.init(containers: [wanted.name])) {
                try await updater.handOver(wanted.name) {
                    await noteUse(by: wanted.name)
                    try await engines.use {
                        try await $0.remove(container: wanted.name, force: wanted.force)
                    }
                }
                await updater.forget(wanted.name)
            }
            logger.info("removed", metadata: ["container": "\(wanted.name)"])
            return Nothing()
        }
        service.answer(Runtime.UpdateContainer.self) { call in
            let wanted = call.parameters
            var things = Self.things(of: wanted.settings)
            things.images = Self.familiar([wanted.image])
            things.containers = [wanted.name]
            try await reservations.use(things) {
                // The old one's as well, which somebody may want to go back to.
                await noteUse(by: wanted.name)
                try await updater.update(
                    wanted.name, to: wanted.image, wanted.settings, detach: wanted.detach)
                await noteUse(by: wanted.name)
            }
            return Nothing()
        }
        service.answer(Runtime.GetGrant.self) { call in
            let name = call.parameters.name
            let planned = updater.plannedSpec(of: name)
            return .init(
                grant: try await engines.use { engine in
                    if let planned { return try await engine.grant(of: planned) }
                    return try await engine.grant(to: name)
                })
        }
        service.answer(Runtime.StreamLogs.self) { call in
            if call.parameters.follow {
                do {
                    try await followers.run { try await streamLogs(call) }
                } catch is OpenEndedWork.Stopped {
                    throw RuntimeError.engineUnavailable(reason: "cz-runtime is stopping")
                }
            } else {
                try await streamLogs(call)
            }
            return .init()
        }
    }

    private func addVolumes(to service: inout Service) {
        service.answerInParts(Runtime.ListVolumes.self) { call in
            .init(volumes: try await engines.use { try await $0.volumes(call.parameters.filters) })
        }
        service.answer(Runtime.CreateVolume.self) { call in
            let name = try await engines.use { try await $0.create(call.parameters.spec) }
            logger.info("created", metadata: ["volume": "\(name)"])
            return .init(name: name)
        }
        service.answer(Runtime.RemoveVolume.self) { call in
            let wanted = call.parameters
            try await engines.use {
                try await $0.remove(volume: wanted.name, force: wanted.force)
            }
            logger.info("removed", metadata: ["volume": "\(wanted.name)"])
            return Nothing()
        }
    }

    private func addPlugins(to service: inout Service) {
        service.answerInParts(Runtime.ListPlugins.self) { call in
            .init(
                plugins: try await engines.use { try await $0.plugins(named: call.parameters.name) }
            )
        }
        service.answer(Runtime.StartPlugin.self) { call in
            let wanted = call.parameters
            let name = try await engines.use { engine in
                let archive: SystemIO.Descriptor? =
                    if let index = wanted.archive {
                        try call.takeDescriptor(index, parameter: "archive", for: .reading)
                    } else {
                        nil
                    }
                return try await engine.startPlugin(wanted.name, from: archive)
            }
            logger.info("started", metadata: ["plugin": "\(name)"])
            return .init(name: name)
        }
        service.answer(Runtime.StopPlugin.self) { call in
            let name = call.parameters.name
            try await engines.use { try await $0.stopPlugin(name) }
            logger.info("stopped", metadata: ["plugin": "\(name)"])
            return Nothing()
        }
        service.answer(Runtime.RemovePlugin.self) { call in
            let name = call.parameters.name
            try await engines.use { try await $0.removePlugin(name) }
            logger.info("removed", metadata: ["plugin": "\(name)"])
            return Nothing()
        }
    }

    // MARK: Streams

    /// Bytes between two replies that tell of a load's progress.
    private static let progressStep: Int64 = 4 << 20

    private func load(_ call: Call<Runtime.LoadImage>) async throws -> Runtime.LoadImage.Reply {
        let (archive, image) = (call.parameters.archive, call.parameters.image)
        let (counts, counter) = AsyncStream.makeStream(
            of: Int64.self, bufferingPolicy: .bufferingNewest(1))
        let wantsMore = call.wantsMore
        async let reporting: Void = {
            for await count in counts {
                try await call.reply(.init(received: count))
            }
        }()
        defer { counter.finish() }
        var next = Self.progressStep
        let loaded = try await reservations.use(.init(isLoad: true)) {
            let loaded = try await engines.use { engine in
                let descriptor = try call.takeDescriptor(
                    archive, parameter: "archive", for: .reading)
                return try await engine.load(descriptor, as: image) { count in
                    guard wantsMore, count >= next else { return }
                    next = count + Self.progressStep
                    counter.yield(count)
                }
            }
            await noteLoad(of: loaded, fetched: call.parameters.fetched ?? false)
            return loaded
        }
        counter.finish()
        try await reporting
        for name in loaded { logger.info("loaded", metadata: ["image": "\(name)"]) }
        return .init(loaded: loaded)
    }

    private func streamLogs(_ call: Call<Runtime.StreamLogs>) async throws {
        let wanted = call.parameters
        if let output = wanted.output {
            let writer = try LogWriter(
                try call.takeDescriptor(output, parameter: "output", for: .writing))
            do {
                try await engines.use {
                    try await $0.logs(container: wanted.name, follow: wanted.follow) {
                        try await writer.write($0)
                    }
                }
            } catch is LogWriter.ReaderGone {
                // Whoever reads has had enough.
            }
            return
        }
        guard call.wantsMore else { throw ServiceError.expectedMore }
        try await engines.use {
            try await $0.logs(container: wanted.name, follow: wanted.follow) {
                try await call.reply(.init(data: Data($0).base64EncodedString()))
            }
        }
    }
}
