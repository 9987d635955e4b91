import FoundationEssentials
import SwiftProtobuf

/// .proto files by everything that one may look for in them.
struct DescriptorIndex: Sendable {
    private struct File: Sendable {
        /// A `google.protobuf.FileDescriptorProto`.
        var serialised: Data
        var imports: [String]
    }

    /// The services' full names, in order.
    private(set) var services: [String] = []
    private var files: [String: File] = [:]
    private var fileOfSymbol: [String: String] = [:]
    private var messages: Set<String> = []
    /// The files of extensions, by what they extend and their number.
    private var extensions: [String: [Int32: String]] = [:]

    /// - Throws: when the descriptors cannot be serialised again.
    init(_ set: Google_Protobuf_FileDescriptorSet) throws {
        for file in set.file {
            files[file.name] = File(
                serialised: try file.serializedBytes(), imports: file.dependency)
            add(file)
        }
        services.sort()
    }

    // MARK: Questions

    /// A file and all that it imports, each after what it needs itself.
    ///
    /// - Parameter known: files that are left out, the one asked for excepted; those that are
    ///   returned are added to them.
    /// - Returns: nil when there is no such file.
    func files(_ name: String, without known: inout Set<String>) -> [Data]? {
        guard let file = files[name] else { return nil }
        known.insert(name)
        var found: [Data] = []
        for imported in file.imports where !known.contains(imported) {
            found += files(imported, without: &known) ?? []
        }
        return found + [file.serialised]
    }

    func file(declaring symbol: String) -> String? { fileOfSymbol[symbol] }

    func file(extending message: String, _ number: Int32) -> String? {
        extensions[message]?[number]
    }

    /// - Returns: nil when there is no such message; what nobody extends has none.
    func extensionNumbers(of message: String) -> [Int32]? {
        guard messages.contains(message) else { return nil }
        return extensions[message, default: [:]].keys.sorted()
    }

    // MARK: Symbols

    private mutating func add(_ file: Google_Protobuf_FileDescriptorProto) {
        func name(_ part: String) -> String {
            file.package.isEmpty ? part : "\(file.package).\(part)"
        }
        for service in file.service {
            let service = (name: name(service.name), methods: service.method)
            services.append(service.name)
            declare([service.name] + service.methods.map { "\(service.name).\($0.name)" }, in: file)
        }
        for message in file.messageType { add(message, as: name(message.name), in: file) }
        for type in file.enumType { add(type, within: file.package, in: file) }
        for field in file.`extension` { add(field, as: name(field.name), in: file) }
    }

    private mutating func add(
        _ message: Google_Protobuf_DescriptorProto, as name: String,
        in file: Google_Protobuf_FileDescriptorProto
    ) {
        messages.insert(name)
        declare([name], in: file)
        declare(message.field.map { "\(name).\($0.name)" }, in: file)
        declare(message.oneofDecl.map { "\(name).\($0.name)" }, in: file)
        for nested in message.nestedType { add(nested, as: "\(name).\(nested.name)", in: file) }
        for type in message.enumType { add(type, within: name, in: file) }
        for field in message.`extension` { add(field, as: "\(name).\(field.name)", in: file) }
    }

    /// An enumeration's values are declared beside it, as in C++.
    private mutating func add(
        _ type: Google_Protobuf_EnumDescriptorProto, within scope: String,
        in file: Google_Protobuf_FileDescriptorProto
    ) {
        let names = [type.name] + type.value.map(\.name)
        declare(names.map { scope.isEmpty ? $0 : "\(scope).\($0)" }, in: file)
    }

    private mutating func add(
        _ field: Google_Protobuf_FieldDescriptorProto, as name: String,
        in file: Google_Protobuf_FileDescriptorProto
    ) {
        declare([name], in: file)
        // A leading dot says that it is a full name, as protoc always writes it.
        let message = String(field.extendee.drop { $0 == "." })
        extensions[message, default: [:]][field.number] = file.name
    }

    private mutating func declare(
        _ symbols: [String], in file: Google_Protobuf_FileDescriptorProto
    ) {
        for symbol in symbols { fileOfSymbol[symbol] = file.name }
    }
}
