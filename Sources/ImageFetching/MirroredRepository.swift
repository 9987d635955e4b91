import HTTPClient
import OCI
import ServerAddress
import SystemIO

/// How registries are reached.
public struct RegistryConfiguration: Sendable {
    public var web = WebConfiguration()
    /// http in place of https, for the source itself.
    public var usesPlainHTTP = false
    public var credentials = CredentialStore()
    public var registries = RegistriesFile()

    public init() {}
}

/// A repository and its mirrors: what one does not have or give is asked of the next, and what one
/// breaks off the next goes on with.
@EventLoop
final class MirroredRepository {
    private let clients: [RegistryClient]
    /// What the cache keeps blobs for: the source itself, whichever mirror delivers them.
    let origin: BlobOrigin
    /// The one that had the manifest has the blobs as well.
    private var preferred = 0

    /// - Throws: ``FetchError``.
    init(
        _ source: RegistryReference, _ configuration: RegistryConfiguration
    ) throws(FetchError) {
        var clients: [RegistryClient] = []
        origin = BlobOrigin(
            source,
            usesPlainHTTP: configuration.usesPlainHTTP
                || configuration.registries.host(source.registry)?.usesPlainHTTP ?? false)
        for location in configuration.registries.locations(of: source) {
            var web = configuration.web
            var usesPlainHTTP = location == source && configuration.usesPlainHTTP
            if let host = configuration.registries.host(location.registry) {
                usesPlainHTTP = usesPlainHTTP || host.usesPlainHTTP
                // What the command line says of the source goes before what the file says.
                if location != source || web.tls == .init() { web.tls = host.tls }
            } else if location != source {
                // A client's key is not for hosts that it was not given for.
                web.tls.certificate = nil
                web.tls.privateKey = nil
            }
            // A mirror is the administrator's choice, wherever it is; what it redirects to is not.
            if location != source, let host = HostAndPort(location.registry),
                let mirror = HostPattern("\(host)", defaultPort: usesPlainHTTP ? 80 : 443)
            {
                web.destinations.allowed.append(mirror)
            }
            clients.append(
                try RegistryClient(
                    location, web, usesPlainHTTP: usesPlainHTTP, configuration.credentials))
        }
        self.clients = clients
    }

    func manifest(for platform: Platform) async throws -> FetchedManifest {
        try await firstOf(clients.indices, canBeginAnew: true) { index in
            let manifest = try await self.clients[index].manifest(for: platform)
            self.preferred = index
            return manifest
        }
    }

    func fetch(
        _ blob: BlobProgress, _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        let order = [preferred] + clients.indices.filter { $0 != preferred }
        try await firstOf(order, canBeginAnew: false) {
            try await self.clients[$0].fetch(blob, output)
        }
        try blob.verify()
    }

    /// Whether the place that the manifest came from, or another, lets this pull read a blob.
    ///
    /// - Throws: `CancellationError`.
    func confirms(_ descriptor: OCI.Descriptor) async throws -> Bool {
        for index in [preferred] + clients.indices.filter({ $0 != preferred }) {
            do {
                if try await clients[index].confirms(descriptor) { return true }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // It is asked for the blob itself next, which says why.
            }
        }
        return false
    }

    /// As ``RegistryClient/signatures(of:)``, of where the manifest came from alone: most images
    /// have none, and each of them would have to wait for every place that cannot be reached.
    func signatures(of digest: Digest) async throws -> FetchedDocument? {
        try await clients[preferred].signatures(of: digest)
    }

    /// - Parameter canBeginAnew: whether wrong bytes of one are forgotten when another has its turn.
    /// - Throws: the last one's reason; the source itself comes last.
    private func firstOf<Value>(
        _ order: some Sequence<Int>, canBeginAnew: Bool,
        _ body: @EventLoop (Int) async throws -> Value
    ) async throws -> Value {
        var failure: any Error = FetchError.unavailable("there is nowhere to fetch from")
        for index in order {
            do {
                return try await body(index)
            } catch let error as FetchError {
                switch error {
                case .notFound, .unauthenticated, .forbidden, .unavailable, .addressDenied,
                    .noPlatform:
                    break
                case .corrupt: guard canBeginAnew else { throw error }
                case .invalid, .cache: throw error
                }
                failure = error
            }
        }
        throw failure
    }
}
