import CFuzzer

/// A property that must hold whatever the input: `@main` on a type of this kind makes a program
/// that looks for inputs for which it does not.
public protocol FuzzTarget {
    /// Tries one input; a property that does not hold stops the program, see ``require(_:_:)``.
    static func run(_ input: inout FuzzInput)
}

extension FuzzTarget {
    public static func main() {
        body = Self.run
        runDriver()
    }
}

/// The callback is C's and captures nothing. Written once, before the only thread reads it.
nonisolated(unsafe) private var body: (inout FuzzInput) -> Void = { _ in }

private func runDriver() {
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, size in
        var input = FuzzInput(Array(UnsafeBufferPointer(start: bytes, count: size)))
        body(&input)
        return 0
    }
}

/// Stops the program, with the values that should not have differed, so that the input is kept.
public func require(
    _ condition: Bool, _ message: @autoclosure () -> String,
    file: StaticString = #file, line: UInt = #line
) {
    if !condition { fatalError(message(), file: file, line: line) }
}

/// ``require(_:_:)`` for bytes that must be the same; the message has what is around their first difference.
public func requireEqual(
    bytes first: [UInt8], _ second: [UInt8], _ message: @autoclosure () -> String,
    file: StaticString = #file, line: UInt = #line
) {
    guard first != second else { return }
    let same = zip(first, second).prefix { $0 == $1 }.count
    let parts = [first, second].map { bytes in
        String(decoding: bytes[max(same - 32, 0)...].prefix(64), as: UTF8.self).debugDescription
    }
    fatalError(
        "\(message()) at \(same):\n  \(parts.joined(separator: "\n  "))", file: file,
        line: line)
}

/// ``require(_:_:)`` for two values that must be the same.
public func requireEqual<Value: Equatable>(
    _ first: Value, _ second: Value, _ message: @autoclosure () -> String = "these differ",
    file: StaticString = #file, line: UInt = #line
) {
    require(first == second, "\(message()):\n  \(first)\n  \(second)", file: file, line: line)
}
