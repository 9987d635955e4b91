import RuntimeAPI
import SystemIO

/// A container engine, as cz-runtime uses it. Another engine is another type behind this protocol
/// or another program that serves `org.containerz.Runtime`.
///
/// Every method throws `RuntimeError`, or `CancellationError` when the task is cancelled; a
/// cancelled call leaves nothing half made.
@EventLoop
public protocol ContainerEngine: UpdateEngine, CleaningEngine {
    /// `docker`, `podman`.
    var name: String { get }
    var version: String { get }
    /// The folder that holds its images.
    var storageRoot: String { get }

    /// Succeeds when the engine is there.
    func ping() async throws

    func images(_ filters: Runtime.Filters) async throws -> [Image]

    /// Loads a docker-archive.
    ///
    /// - Parameters:
    ///   - image: the name the archive must turn out to have; nil for any one.
    ///   - progress: told the bytes read so far.
    /// - Returns: the names it was given.
    func load(
        _ archive: consuming SystemIO.Descriptor, as image: ImageName?,
        progress: @escaping @EventLoop (Int64) -> Void
    ) async throws -> [ImageName]

    func tag(_ image: ImageName, as newName: ImageName) async throws
    func remove(_ image: ImageName, force: Bool) async throws

    func containers(
        all: Bool, limit: Int, filters: Runtime.Filters
    ) async throws -> [Container]

    /// - Returns: the instance name.
    func start(_ spec: ContainerSpec) async throws -> String
    func stop(container name: String, force: Bool, restart: Bool) async throws
    func remove(container name: String, force: Bool) async throws
    /// What a container was given of the device; nil when it is gone, or was not started by us.
    func grant(to container: String) async throws -> Grant?
    /// What a container of this specification would be given.
    func grant(of spec: ContainerSpec) async throws -> Grant?

    /// Checks that running containers have the folders of the device that they were admitted with,
    /// and looks again whenever a container is started, also by the engine itself.
    ///
    /// - Parameter report: called with each finding.
    /// - Returns: when no container of ours has a folder of the device.
    func watchMounts(_ report: @EventLoop (MountFinding) -> Void) async throws

    func volumes(_ filters: Runtime.Filters) async throws -> [Volume]
    /// - Returns: the volume's name.
    func create(_ spec: VolumeSpec) async throws -> String
    func remove(volume name: String, force: Bool) async throws

    // Those of an engine without plugins throw `RuntimeError.notSupported`.

    /// - Parameter name: nil for all of them.
    func plugins(named name: String?) async throws -> [Plugin]
    /// - Parameter archive: a tar archive of config.json and rootfs/; nil to start one again.
    /// - Returns: the plugin's instance name, with its tag.
    func startPlugin(
        _ name: String, from archive: consuming SystemIO.Descriptor?
    ) async throws -> String
    func stopPlugin(_ name: String) async throws
    func removePlugin(_ name: String) async throws

    /// Hands over what the container wrote, in order, until the log ends.
    ///
    /// - Throws: `RuntimeError.notPermitted` for a container that is not ours, unless the policy
    ///   allows that.
    func logs(
        container name: String, follow: Bool,
        _ output: @EventLoop (ArraySlice<UInt8>) async throws -> Void
    ) async throws
}
