import GNOI
import RuntimeAPI

/// A request whose number and size of everything is limited by `RequestLimits`.
///
/// cz-runtime checks again what it is asked for. Here the message names the client's own fields, and
/// nothing has been done with them yet.
protocol LimitedRequest {
    /// The largest message that is decoded.
    static var sizeLimit: RequestLimit { get }
    /// Names of the fields that can make it too large, by their numbers.
    static var fieldNames: [Int: String] { get }

    /// - Throws: `RuntimeError.invalidArgument` with the field, the number and the maximum.
    func checkLimits() throws(RuntimeAPI.RuntimeError)
}

extension LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.shortRequest }
    static var fieldNames: [Int: String] { [1: "instance_name"] }
}

extension Gnoi_Containerz_ImageTransfer {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.imageNameBytes.check("image_transfer.name", name)
        try RequestLimits.tagBytes.check("image_transfer.tag", tag)
        guard hasRemoteDownload else { return }
        let download = remoteDownload
        try RequestLimits.addressBytes.check("remote_download.path", download.path)
        try RequestLimits.nameBytes.check("remote_download.source_address", download.sourceAddress)
        try RequestLimits.nameBytes.check("remote_download.source_vrf", download.sourceVrf)
        try RequestLimits.nameBytes.check(
            "remote_download.credentials.username", download.credentials.username)
        if case .cleartext(let password)? = download.credentials.password {
            try RequestLimits.passwordBytes.check(
                "remote_download.credentials.cleartext", password)
        }
    }
}

extension Gnoi_Containerz_RemoveImageRequest: LimitedRequest {
    static var fieldNames: [Int: String] { [1: "name", 2: "tag"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.imageNameBytes.check("name", name)
        try RequestLimits.tagBytes.check("tag", tag)
    }
}

extension Gnoi_Containerz_ListImageRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.listRequest }
    static var fieldNames: [Int: String] { [3: "filter"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.check("filter", filters: filter.map { (key: $0.key, values: $0.value) })
    }
}

extension Gnoi_Containerz_ListContainerRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.listRequest }
    static var fieldNames: [Int: String] { [3: "filter"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.check("filter", filters: filter.map { (key: $0.key, values: $0.value) })
    }
}

extension Gnoi_Containerz_ListVolumeRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.listRequest }
    static var fieldNames: [Int: String] { [1: "filter"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.check("filter", filters: filter.map { (key: $0.key, values: $0.value) })
    }
}

extension Gnoi_Containerz_StartContainerRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.containerRequest }
    static var fieldNames: [Int: String] {
        [
            1: "image_name", 2: "tag", 3: "cmd", 4: "instance_name", 5: "ports", 6: "environment",
            7: "volumes", 8: "network", 9: "cap", 11: "run_as", 12: "labels", 14: "devices",
        ]
    }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.imageNameBytes.check("image_name", imageName)
        try RequestLimits.tagBytes.check("tag", tag)
        try RequestLimits.commandBytes.check("cmd", cmd)
        try RequestLimits.nameBytes.check("instance_name", instanceName)
        try RequestLimits.ports.check("ports", ports.count)
        try RequestLimits.check(environment: environment)
        try RequestLimits.mounts.check("volumes", volumes.count)
        for volume in volumes {
            try RequestLimits.pathBytes.check("volumes.name", volume.name)
            try RequestLimits.pathBytes.check("volumes.mount_point", volume.mountPoint)
        }
        try RequestLimits.nameBytes.check("network", network)
        for (field, names) in [("cap.add", cap.add), ("cap.remove", cap.remove)] {
            try RequestLimits.check(
                field, names, count: RequestLimits.capabilities, each: RequestLimits.nameBytes)
        }
        try RequestLimits.nameBytes.check("run_as.user", runAs.user)
        try RequestLimits.nameBytes.check("run_as.group", runAs.group)
        try RequestLimits.check(labels: labels)
        try RequestLimits.devices.check("devices", devices.count)
        for device in devices {
            try RequestLimits.pathBytes.check("devices.src_path", device.srcPath)
            try RequestLimits.pathBytes.check("devices.dst_path", device.dstPath)
            try RequestLimits.devicePermissions.check(
                "devices.permissions", device.permissions.count)
        }
    }
}

extension Gnoi_Containerz_UpdateContainerRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.containerRequest }
    static var fieldNames: [Int: String] {
        [1: "instance_name", 2: "image_name", 3: "image_tag", 4: "params"]
    }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
        try RequestLimits.imageNameBytes.check("image_name", imageName)
        try RequestLimits.tagBytes.check("image_tag", imageTag)
        try params.checkLimits()
    }
}

extension Gnoi_Containerz_StopContainerRequest: LimitedRequest {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
    }
}

extension Gnoi_Containerz_RemoveContainerRequest: LimitedRequest {
    static var fieldNames: [Int: String] { [1: "name"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Gnoi_Containerz_LogRequest: LimitedRequest {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
    }
}

extension Gnoi_Containerz_CreateVolumeRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.volumeRequest }
    static var fieldNames: [Int: String] {
        [
            1: "name", 3: "local_mount_options", 4: "labels", 5: "custom_options",
        ]
    }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
        try RequestLimits.check(labels: labels)
        switch options {
        case .localMountOptions(let local):
            try RequestLimits.check(
                "local_mount_options.options", local.options, count: RequestLimits.volumeOptions,
                each: RequestLimits.labelValueBytes, total: RequestLimits.labelValueBytes)
            try RequestLimits.labelValueBytes.check(
                "local_mount_options.mountpoint", local.mountpoint)
        case .customOptions(let custom):
            try RequestLimits.check("custom_options", volumeOptions: custom.options)
        case nil: break
        }
    }
}

extension Gnoi_Containerz_RemoveVolumeRequest: LimitedRequest {
    static var fieldNames: [Int: String] { [1: "name"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Gnoi_Containerz_StartPluginRequest: LimitedRequest {
    static var sizeLimit: RequestLimit { RequestLimits.pluginRequest }
    static var fieldNames: [Int: String] { [1: "name", 2: "instance_name", 3: "config"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
        try RequestLimits.nameBytes.check("instance_name", instanceName)
        try RequestLimits.pluginConfigBytes.check("config", config)
    }
}

extension Gnoi_Containerz_StopPluginRequest: LimitedRequest {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
    }
}

extension Gnoi_Containerz_ListPluginsRequest: LimitedRequest {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
    }
}

extension Gnoi_Containerz_RemovePluginRequest: LimitedRequest {
    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("instance_name", instanceName)
    }
}

extension Gnoi_Containerz_RemovePluginTarRequest: LimitedRequest {
    static var fieldNames: [Int: String] { [1: "name"] }

    func checkLimits() throws(RuntimeAPI.RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}
