import FoundationEssentials
import GNOI
import GRPCCore
import GRPCProtobuf
import GRPCTransport
import Logging
import OCI
import RuntimeAPI
import SwiftProtobuf
import SystemIO

/// The gNOI service `gnoi.containerz.Containerz`, carried out by cz-runtime.
public struct ContainerzService: RegistrableRPCService {
    public struct Configuration: Sendable {
        /// Bytes of an image that a client should send at a time. A message has to stay under
        /// gRPC's 4 MiB.
        public var chunkSize = 512 << 10
        /// Where tarballs of plugins are kept until they are started.
        public var pluginFolder = "/var/lib/containerz/plugins"

        /// What fetches images for clients that want the device to do that.
        public var pull = PullConfiguration()

        public static let chunkSizes = 1024...(7 << 19)

        public init() {}
    }

    /// The service's full name.
    public static let name = Gnoi_Containerz_Containerz.descriptor.fullyQualifiedService

    typealias Method = Gnoi_Containerz_Containerz.Method

    /// Each has a thread and some megabytes.
    private static let maximumDeploys = 16
    /// Each has a thread that unpacks a tarball, and a text that may be long.
    private static let maximumPluginStarts = 4

    let runtime: RuntimeClient
    let configuration: Configuration
    let logger: Logger
    let deploys: DeployAdmission
    let plugins: PluginStore
    let pluginDeploys: DeployAdmission
    let pluginStarts: DeployAdmission
    let followers = OpenEndedWork()
    private let listings = Listings()

    public init(_ runtime: RuntimeClient, _ configuration: Configuration, logger: Logger) {
        self.runtime = runtime
        self.configuration = configuration
        self.logger = logger
        deploys = DeployAdmission(maximum: Self.maximumDeploys)
        plugins = PluginStore(configuration.pluginFolder)
        pluginDeploys = DeployAdmission(
            maximum: Self.maximumDeploys, of: "plugins are being deployed")
        pluginStarts = DeployAdmission(
            maximum: Self.maximumPluginStarts, of: "plugins are being started")
    }

    /// Sends whoever follows a log away, to come again when the service is back.
    @EventLoop
    public func drain() { followers.stop() }

    public func registerMethods<Transport: ServerTransport>(
        with router: inout RPCRouter<Transport>
    ) {
        let deserializer = ProtobufDeserializer<Gnoi_Containerz_DeployRequest>()
        router.register(Method.Deploy.descriptor, deserializer) { messages, writer, call in
            try await deploy(messages, writer, call)
        }
        router.onListing(Method.ListImage.descriptor, listings, listImage) { $0 }
        router.onUnary(Method.RemoveImage.descriptor, removeImage)
        router.onUnary(Method.StartContainer.descriptor, startContainer)
        router.onListing(
            Method.ListContainer.descriptor, listings, listContainer, Self.response(_:))
        router.onUnary(Method.StopContainer.descriptor, stopContainer)
        router.onUnary(Method.RemoveContainer.descriptor, removeContainer)
        router.onUnary(Method.UpdateContainer.descriptor, updateContainer)
        router.onServerStreaming(Method.Log.descriptor, log)
        router.onUnary(Method.CreateVolume.descriptor, createVolume)
        router.onUnary(Method.RemoveVolume.descriptor, removeVolume)
        router.onListing(Method.ListVolume.descriptor, listings, listVolume, Self.response(_:))
        router.onUnary(Method.StartPlugin.descriptor, startPlugin)
        router.onUnary(Method.StopPlugin.descriptor, stopPlugin)
        router.onUnary(Method.ListPlugins.descriptor, listPlugins)
        router.onUnary(Method.RemovePlugin.descriptor, removePlugin)
        router.onUnary(Method.RemovePluginTar.descriptor, removePluginTar)
    }

    // MARK: Images

    @EventLoop
    private func listImage(
        _ request: Gnoi_Containerz_ListImageRequest, _ call: CallInProgress
    ) async throws -> [Gnoi_Containerz_ListImageResponse] {
        let filters = Self.filters(request.filter.map { ($0.key, $0.value) })
        var responses: [Gnoi_Containerz_ListImageResponse] = []
        let wantsNameless = filters["dangling"] != nil || filters["id"] != nil
        for image in try await runtime.images(filters: filters) {
            // A message an image and tag; one without a name only for those who ask for it.
            let names: [ImageName?] = image.names.isEmpty && wantsNameless ? [nil] : image.names
            for name in names {
                responses.append(
                    .with {
                        $0.id = image.id
                        $0.imageName = name?.repository ?? ""
                        $0.tag = name?.tag ?? ""
                    })
            }
        }
        return Self.first(request.limit, of: responses)
    }

    @EventLoop
    private func removeImage(
        _ request: Gnoi_Containerz_RemoveImageRequest
    ) async throws -> Gnoi_Containerz_RemoveImageResponse {
        let image = try ImageName(requested: request.name, tag: request.tag)
        try await runtime.remove(image, force: request.force)
        return .init()
    }

    // MARK: Containers

    @EventLoop
    private func startContainer(
        _ request: Gnoi_Containerz_StartContainerRequest, _ call: CallInProgress
    ) async throws -> Gnoi_Containerz_StartContainerResponse {
        let spec = try ContainerSpec(request)
        call.note(spec.auditNotes)
        let name = try await runtime.start(spec)
        call.carryOut()
        call.note(["instance": .text(name)])
        await noteGrant(to: name, call)
        return .with { $0.startOk = .with { $0.instanceName = name } }
    }

    /// Adds to the audit what a container was given.
    ///
    /// - Parameter image: which it has to be made of; nil for any.
    @EventLoop
    func noteGrant(
        to name: String, madeOf image: ImageName? = nil, _ call: CallInProgress
    ) async {
        do {
            guard let grant = try await runtime.grant(to: name),
                image.map({ Self.familiar($0) == Self.familiar(grant.image) }) ?? true
            else { return }
            call.note(grant.auditNotes)
        } catch {
            // The container runs, and the record has what was asked for.
            logger.warning(
                "what a container was given is not known",
                metadata: ["container": "\(name)", "reason": "\(error)"])
        }
    }

    /// Without what engines put in front of names.
    private static func familiar(_ image: ImageName) -> ImageReference? {
        try? ImageReference(repository: image.repository, tag: image.tag).familiar
    }

    @EventLoop
    private func listContainer(
        _ request: Gnoi_Containerz_ListContainerRequest, _ call: CallInProgress
    ) async throws -> [Container] {
        let filters = Self.filters(request.filter.map { ($0.key, $0.value) })
        let view = ListView(call.permits(Method.StartContainer.descriptor), filters)
        let containers = try await runtime.containers(
            all: request.all, limit: view.limit(request.limit), filters: filters)
        return Self.first(request.limit, of: containers.compactMap(view.shown))
    }

    @EventLoop
    private func stopContainer(
        _ request: Gnoi_Containerz_StopContainerRequest, _ call: CallInProgress
    ) async throws -> Gnoi_Containerz_StopContainerResponse {
        try Self.requireName(request.instanceName, "instance_name")
        try await runtime.stopContainer(
            request.instanceName, force: request.force, restart: request.restart)
        if request.restart {
            call.carryOut()
            await noteGrant(to: request.instanceName, call)
        }
        return .init()
    }

    @EventLoop
    private func removeContainer(
        _ request: Gnoi_Containerz_RemoveContainerRequest
    ) async throws -> Gnoi_Containerz_RemoveContainerResponse {
        try Self.requireName(request.name, "name")
        try await runtime.removeContainer(request.name, force: request.force)
        return .init()
    }

    // MARK: Messages

    static func requireName(_ name: String, _ field: String) throws(RequestError) {
        guard !name.isEmpty else { throw RequestError(field, "it is empty") }
    }

    /// A key that is there twice has the values of both.
    static func filters(_ filters: [(String, [String])]) -> Runtime.Filters {
        Dictionary(filters, uniquingKeysWith: +)
    }

    private static func first<Element>(_ limit: Int32, of elements: [Element]) -> [Element] {
        limit > 0 ? Array(elements.prefix(Int(limit))) : elements
    }

    private static func response(
        _ container: Container
    ) -> Gnoi_Containerz_ListContainerResponse {
        .with {
            $0.id = container.id
            $0.name = container.name
            $0.imageName = container.image?.description ?? container.imageID
            $0.status = status(container.state)
            $0.labels = container.labels
            if let hash = hash(container.imageID) { $0.hash = hash }
        }
    }

    /// A digest in the API's words; nil when it has none for it.
    static func hash(_ text: String) -> Gnoi_Types_HashType? {
        guard let digest = Digest(text), digest.algorithm == .sha256 else { return nil }
        return .with {
            $0.method = .sha256
            $0.hash = Data(digest.bytes)
        }
    }

    /// PRESENT is what neither runs nor has been stopped.
    private static func status(
        _ state: Container.State
    ) -> Gnoi_Containerz_ListContainerResponse.Status {
        switch state {
        case .running, .paused: .running
        case .created, .restarting: .present
        case .removing, .exited, .dead: .stopped
        }
    }
}
