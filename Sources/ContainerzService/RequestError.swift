/// A request that cannot be right, whatever the state of the device: INVALID_ARGUMENT.
struct RequestError: Error, Hashable, CustomStringConvertible {
    /// The field of the request's message.
    var field: String
    var reason: String

    init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    var description: String { "\(field): \(reason)" }
}
