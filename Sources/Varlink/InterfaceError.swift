/// The errors an interface declares, as one closed type.
///
/// Encoding yields the parameters alone, as a JSON object; the name travels beside them.
public protocol InterfaceError: Error, Encodable, Sendable {
    /// The full name, `org.example.Interface.Error`.
    var errorName: String { get }

    /// Reads the parameters of the error with this name.
    ///
    /// - Returns: nil for a name that is not the interface's.
    /// - Throws: `DecodingError` when the parameters are not those declared.
    init?(errorName: String, from decoder: any Decoder) throws

    /// The declared error to answer with when a handler throws something else.
    static func unexpected(_ error: any Error) -> Self
}
