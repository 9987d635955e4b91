import GRPCCore

/// `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP2, "Timeout").
///
/// GRPCCore reads the header itself, but stops the process at a negative number, so it is
/// parsed here and never handed on.
enum TimeoutHeader {
    private static let mostDigits = 8

    /// - Throws: INVALID_ARGUMENT, quoting what was sent.
    static func parse(_ text: String) throws(RPCError) -> Duration {
        let digits = text.dropLast()
        guard let unit = text.last, (1...mostDigits).contains(digits.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let amount = Int64(digits)
        else { throw invalid(text) }
        return switch unit {
        case "H": .seconds(amount * 3600)
        case "M": .seconds(amount * 60)
        case "S": .seconds(amount)
        case "m": .milliseconds(amount)
        case "u": .microseconds(amount)
        case "n": .nanoseconds(amount)
        default: throw invalid(text)
        }
    }

    private static func invalid(_ text: String) -> RPCError {
        RPCError(code: .invalidArgument, message: "'\(text)' is not a grpc-timeout")
    }
}
