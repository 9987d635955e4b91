/// A method of an interface, by which client and server agree on its types.
public protocol Method: Sendable {
    /// What the call carries; encodes as a JSON object.
    associatedtype Parameters: Codable & Sendable
    /// What each reply carries; encodes as a JSON object.
    associatedtype Reply: Codable & Sendable
    /// The errors its interface declares.
    associatedtype Failure: InterfaceError

    /// The full name, `org.example.Interface.Method`.
    static var name: String { get }
    /// Whether descriptors may come with the call; a server closes them otherwise.
    static var takesDescriptors: Bool { get }
}

extension Method {
    public static var takesDescriptors: Bool { false }
}

/// The parameters of a method, or its reply, when there are none.
public struct Nothing: Codable, Hashable, Sendable {
    public init() {}
}
