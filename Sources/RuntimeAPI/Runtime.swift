import Varlink

/// The interface `org.containerz.Runtime`: a namespace of its methods.
public enum Runtime {
    /// The interface's name.
    public static let interface = "org.containerz.Runtime"
    /// The interface's text, that of the .varlink file beside this one.
    public static let interfaceText = String(
        decoding: PackageResources.org_containerz_Runtime_varlink, as: UTF8.self)

    /// What a listing is narrowed by: a key's alternative values, all keys together.
    public typealias Filters = [String: [String]]

    /// The engine and its storage.
    public enum GetInfo: Method {
        public typealias Parameters = Nothing
        public typealias Reply = EngineInfo
        public typealias Failure = RuntimeError
        public static let name = "\(interface).GetInfo"
    }
}
