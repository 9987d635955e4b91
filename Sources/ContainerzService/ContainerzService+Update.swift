import GNOI
import GRPCCore
import GRPCTransport
import RuntimeAPI
import SwiftProtobuf
import SystemIO

extension ContainerzService {
    @EventLoop
    func updateContainer(
        _ request: Gnoi_Containerz_UpdateContainerRequest, _ call: CallInProgress
    ) async throws -> Gnoi_Containerz_UpdateContainerResponse {
        try Self.requireName(request.instanceName, "instance_name")
        let image = try ImageName(
            requested: request.imageName, tag: request.imageTag, field: "image_name")
        // The request's own fields decide the image and the instance.
        var params = request.params
        params.imageName = ""
        params.tag = ""
        params.instanceName = ""
        let settings = try ContainerSpec(params)
        call.note(settings.auditNotes)
        call.note(["image": .text("\(image)"), "async": .flag(request.async)])
        try await runtime.update(
            request.instanceName, to: image, settings: settings, detach: request.async)
        call.carryOut()
        // One that failed in the meantime, after a request that does not wait, left another image.
        await noteGrant(to: request.instanceName, madeOf: image, call)
        return .with {
            $0.updateOk = .with {
                $0.instanceName = request.instanceName
                $0.isAsync = request.async
            }
        }
    }
}
