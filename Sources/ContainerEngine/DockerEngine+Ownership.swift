import DevicePolicy
import FoundationEssentials
import JSON
import OCI
import PrintableText
import RuntimeAPI
import SystemIO

// Which containers were started through this API.
//
// A container is ours when it has our label, the specification in the label has the container's own
// name, and the label is not inherited. Containers inherit the labels of their image, and an image
// that was committed from a container has the labels of that container.

/// The labels of images by their full ids.
typealias ImageLabels = [String: [String: String]]

extension DockerEngine {
    /// What a container was started with; nil when it was not started through this API.
    func ownSpec(of container: ContainerDocument) async throws -> ContainerSpec? {
        let labels = container.config?.labels
        guard labels?[EngineLabel.spec] != nil else { return nil }
        var imageLabels: ImageLabels = [:]
        // An image that was removed by force cannot be asked.
        if let id = container.image, let image = try await image(id) {
            imageLabels[ImageID.full(id)] = image.config?.labels
        }
        return Self.ownSpec(
            labels, named: InstanceName.withoutSlash(container.name), image: container.image,
            imageLabels)
    }

    /// - Parameter imageLabels: ``imageLabels()``, or nothing where only the label's own content
    ///   matters.
    nonisolated static func ownSpec(
        of container: ContainerSummary, _ imageLabels: ImageLabels
    ) -> ContainerSpec? {
        ownSpec(
            container.labels, named: name(container), image: container.imageID, imageLabels)
    }

    private nonisolated static func ownSpec(
        _ labels: [String: String]?, named name: String, image: String?, _ imageLabels: ImageLabels
    ) -> ContainerSpec? {
        guard let text = labels?[EngineLabel.spec],
            image.flatMap({ imageLabels[ImageID.full($0)] })?[EngineLabel.spec] == nil,
            let spec = try? JSONDecoder().decode(ContainerSpec.self, from: Data(text.utf8)),
            // Containers of older versions have no name in it that was made up.
            spec.name.isEmpty || spec.name == name || UpdateName.isOne(name)
        else { return nil }
        return spec
    }

    func imageLabels() async throws -> ImageLabels {
        Self.labels(of: try await summaries())
    }

    static func labels(of images: [ImageSummary]) -> ImageLabels {
        Dictionary(
            images.map { (ImageID.full($0.id), $0.labels ?? [:]) }, uniquingKeysWith: { $1 })
    }

    /// Keeps what a container is started with, so that an update can take it over.
    ///
    /// - Throws: `RuntimeError.invalidArgument` when that is too large, as the old settings and
    ///   those of an update together may be.
    static func keep(
        _ spec: ContainerSpec, named name: String, in document: inout CreateDocument
    ) throws {
        var spec = spec
        spec.name = name
        try spec.checkSize()
        document.labels[EngineLabel.resolved] = ""
        document.labels[EngineLabel.spec] = String(
            decoding: try CanonicalJSON.encode(spec), as: UTF8.self)
    }

    /// - Throws: `RuntimeError.notPermitted` for a container that was not started by us.
    func requireOwn(_ container: ContainerDocument, named name: String) async throws {
        if try await ownSpec(of: container) == nil {
            try policies.policy.checkForeign("container \(name)")
        }
    }

    public func requireOwn(_ container: ContainerDetails) throws {
        if container.spec == nil {
            try policies.policy.checkForeign("container \(container.name)")
        }
    }

    /// - Throws: `RuntimeError.notPermitted` for an image whose name the policy does not cover.
    func requireOwn(_ image: FoundImage) throws(RuntimeError) {
        if !policies.policy.allowsForeign {
            try policies.policy.check(image.name, Self.digest(image.id))
        }
    }

    /// - Throws: `RuntimeError.invalidArgument` for an image that has labels of ours.
    func requireNoReservedLabels(_ image: ImageDocument, _ name: ImageName) throws(RuntimeError) {
        if let label = EngineLabel.reserved(in: image.config?.labels ?? [:]) {
            throw .invalidArgument(
                field: "image",
                reason: "the configuration of image \(name) sets the label \(label), which is "
                    + "reserved for containerz; build the image without it")
        }
    }

    /// Refuses an image whose annotations the engine would hand on to its runtime and hooks, where
    /// some of them are orders. What containerz passes on of an archive has none.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    func requireHarmlessAnnotations(of id: String, _ name: ImageName) async throws {
        guard dialect.handsAnnotationsOn else { return }
        struct Annotated: Decodable {
            var annotations: [String: String]?

            private enum CodingKeys: String, CodingKey { case annotations = "Annotations" }
        }
        let image: Annotated = try await api.document(
            "/images/\(percentEncoded(id))/json", prefix: EngineDialect.libpod)
        let harmless = "org.opencontainers."
        if let key = (image.annotations ?? [:]).keys.sorted().first(where: {
            !$0.hasPrefix(harmless)
        }) {
            throw RuntimeError.invalidArgument(
                field: "image",
                reason:
                    "image \(name) has the annotation \(excerpt(key)), which the engine may take "
                    + "for an order; build it without")
        }
    }

    func image(_ id: String) async throws -> ImageDocument? {
        try await api.find("/images/\(percentEncoded(id))/json", as: ImageDocument.self)
    }
}
