/// Who answers, as `org.varlink.service.GetInfo` tells.
public struct ServiceInformation: Codable, Hashable, Sendable {
    public var vendor: String
    public var product: String
    public var version: String
    public var url: String

    public init(vendor: String, product: String, version: String, url: String) {
        self.vendor = vendor
        self.product = product
        self.version = version
        self.url = url
    }
}

/// The interface that every service serves.
public enum Introspection {
    public static let interface = ServiceError.interface

    public enum GetInfo: Method {
        public typealias Parameters = Nothing
        public typealias Failure = ServiceError
        public static let name = "\(interface).GetInfo"

        public struct Reply: Codable, Hashable, Sendable {
            public var vendor: String
            public var product: String
            public var version: String
            public var url: String
            public var interfaces: [String]
        }
    }

    public enum GetInterfaceDescription: Method {
        public typealias Failure = ServiceError
        public static let name = "\(interface).GetInterfaceDescription"

        public struct Parameters: Codable, Hashable, Sendable {
            public var interface: String

            public init(interface: String) { self.interface = interface }
        }

        public struct Reply: Codable, Hashable, Sendable {
            public var description: String
        }
    }

    static let text = """
        # Every service answers this: who it is, and what it speaks.
        interface org.varlink.service

        # The service, and the interfaces it serves.
        method GetInfo() -> (
          vendor: string,
          product: string,
          version: string,
          url: string,
          interfaces: []string
        )

        # The text of an interface.
        method GetInterfaceDescription(interface: string) -> (description: string)

        error InterfaceNotFound (interface: string)

        error MethodNotFound (method: string)

        error MethodNotImplemented (method: string)

        error InvalidParameter (parameter: string)

        error PermissionDenied ()

        error ExpectedMore ()

        """

    static func service(
        _ information: ServiceInformation, describing services: [Service]
    ) -> Service {
        var own = Service(interface: interface, description: text)
        let interfaces = ([own] + services).map(\.interface)
        let descriptions = ([own] + services).reduce(into: [String: String]()) {
            $0[$1.interface] = $1.description
        }
        own.on(GetInfo.self) { _ in
            GetInfo.Reply(
                vendor: information.vendor, product: information.product,
                version: information.version, url: information.url, interfaces: interfaces)
        }
        own.on(GetInterfaceDescription.self) { call in
            guard let description = descriptions[call.parameters.interface] else {
                throw ServiceError.interfaceNotFound(call.parameters.interface)
            }
            return GetInterfaceDescription.Reply(description: description)
        }
        return own
    }
}
