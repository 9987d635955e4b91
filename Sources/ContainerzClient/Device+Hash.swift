import GNOI
import SwiftProtobuf

extension Device {
    /// A hash as digests are written, `sha256:…`; empty when there is none.
    static func text(_ hash: Gnoi_Types_HashType) -> String {
        let digits = hash.hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        let method =
            switch hash.method {
            case .sha256: "sha256:"
            case .sha512: "sha512:"
            case .md5: "md5:"
            case .unspecified, .UNRECOGNIZED: ""
            }
        return digits.isEmpty ? "" : method + digits.joined()
    }
}
