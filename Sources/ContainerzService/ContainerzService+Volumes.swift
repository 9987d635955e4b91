import GNOI
import GRPCCore
import RuntimeAPI
import SwiftProtobuf
import SystemIO

// The RPCs on volumes.

extension ContainerzService {
    @EventLoop
    func createVolume(
        _ request: Gnoi_Containerz_CreateVolumeRequest, _ call: CallInProgress
    ) async throws -> Gnoi_Containerz_CreateVolumeResponse {
        let spec = try VolumeSpec(request)
        call.note(spec.auditNotes)
        let name = try await runtime.create(spec)
        call.tell(name)
        return .with { $0.name = name }
    }

    /// There being no such volume is what the client wants.
    @EventLoop
    func removeVolume(
        _ request: Gnoi_Containerz_RemoveVolumeRequest
    ) async throws -> Gnoi_Containerz_RemoveVolumeResponse {
        try Self.requireName(request.name, "name")
        do {
            try await runtime.removeVolume(request.name, force: request.force)
        } catch RuntimeAPI.RuntimeError.volumeNotFound {}
        return .init()
    }

    @EventLoop
    func listVolume(
        _ request: Gnoi_Containerz_ListVolumeRequest, _ call: CallInProgress
    ) async throws -> [Volume] {
        let filters = Self.filters(request.filter.map { ($0.key, $0.value) })
        let view = ListView(call.permits(Method.CreateVolume.descriptor), filters)
        return try await runtime.volumes(filters: filters).compactMap(view.shown)
    }

    static func response(_ volume: Volume) -> Gnoi_Containerz_ListVolumeResponse {
        .with {
            $0.name = volume.name
            $0.driver = volume.driver
            $0.options = volume.options
            $0.labels = volume.labels
            if volume.created > 0 {
                $0.created = Google_Protobuf_Timestamp(seconds: volume.created)
            }
        }
    }
}
