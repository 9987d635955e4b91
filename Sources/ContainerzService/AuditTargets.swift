import GNOI

/// A request that says in the audit what it is about.
protocol NamesTarget {
    var target: String { get }
}

private func image(_ name: String, _ tag: String) -> String {
    tag.isEmpty ? name : "\(name):\(tag)"
}

/// An instance and what it is made of, each where there is one.
private func instance(_ name: String, of thing: String) -> String {
    [name, thing].filter { !$0.isEmpty }.joined(separator: " ")
}

extension Gnoi_Containerz_ImageTransfer: NamesTarget {
    var target: String { image(name, tag) }
}

extension Gnoi_Containerz_RemoveImageRequest: NamesTarget {
    var target: String { image(name, tag) }
}

extension Gnoi_Containerz_StartContainerRequest: NamesTarget {
    var target: String { instance(instanceName, of: image(imageName, tag)) }
}

extension Gnoi_Containerz_UpdateContainerRequest: NamesTarget {
    var target: String { instance(instanceName, of: image(imageName, imageTag)) }
}

extension Gnoi_Containerz_StopContainerRequest: NamesTarget {
    var target: String { instanceName }
}

extension Gnoi_Containerz_RemoveContainerRequest: NamesTarget {
    var target: String { name }
}

extension Gnoi_Containerz_LogRequest: NamesTarget {
    var target: String { instanceName }
}

extension Gnoi_Containerz_CreateVolumeRequest: NamesTarget {
    var target: String { name }
}

extension Gnoi_Containerz_RemoveVolumeRequest: NamesTarget {
    var target: String { name }
}

extension Gnoi_Containerz_StartPluginRequest: NamesTarget {
    var target: String { instance(instanceName, of: name) }
}

extension Gnoi_Containerz_StopPluginRequest: NamesTarget {
    var target: String { instanceName }
}

extension Gnoi_Containerz_RemovePluginRequest: NamesTarget {
    var target: String { instanceName }
}

extension Gnoi_Containerz_RemovePluginTarRequest: NamesTarget {
    var target: String { name }
}
