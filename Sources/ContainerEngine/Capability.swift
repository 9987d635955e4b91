import PrintableText
import RuntimeAPI

/// The names of capabilities as the engines want them.
enum Capability {
    /// The engines' form of a name in any case, with or without `CAP_`.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func parse(_ text: String) throws(RuntimeError) -> String {
        guard let name = CapabilityName.normalised(text) else {
            throw .invalidArgument(
                field: "cap", reason: "there is no capability '\(excerpt(text))'")
        }
        return name == CapabilityName.all ? name : "CAP_\(name)"
    }
}
