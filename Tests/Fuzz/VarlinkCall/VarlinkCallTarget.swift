import FoundationEssentials
import FuzzSupport
import JSON
import RuntimeAPI

@testable import Varlink

/// Calls of cz-runtime's interface: parameters that are understood are written as they are read,
/// and so is any JSON.
@main struct VarlinkCallTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let text = input.text
        if let value = try? JSONValue(parsing: text) {
            guard let written = try? value.text else { fatalError("\(value) cannot be written") }
            requireEqual((try? JSONValue(parsing: written)).map(wholeNumbers), wholeNumbers(value))
        }
        let decoder = JSONDecoder()
        decoder.userInfo[MethodTable.key] = methods
        let data = Data(input.bytes)
        guard let call = try? decoder.decode(IncomingCall.self, from: data) else { return }
        switch call.target {
        case .failure(let error): _ = try? CanonicalJSON.encode(error)
        case .handler: parametersCheck[call.method]?(data)
        }
    }

    /// A number that is whole once it is rounded to a double is written without a point.
    private static func wholeNumbers(_ value: JSONValue) -> JSONValue {
        switch value {
        case .double(let number): Int64(exactly: number).map { .int($0) } ?? value
        case .array(let values): .array(values.map(wholeNumbers))
        case .object(let fields): .object(fields.mapValues(wholeNumbers))
        case .null, .bool, .int, .string: value
        }
    }

    private static let methods = MethodTable([service.0])
    private static let parametersCheck = service.1

    private static let service: (Service, [String: @Sendable (Data) -> Void]) = {
        var service = Service(interface: Runtime.interface, description: Runtime.interfaceText)
        var checks: [String: @Sendable (Data) -> Void] = [:]
        func on<M: Method>(_ method: M.Type) {
            service.on(method) { _ in throw CancellationError() }
            checks[M.name] = { check(method, $0) }
        }
        on(Runtime.GetInfo.self)
        on(Runtime.ListImages.self)
        on(Runtime.LoadImage.self)
        on(Runtime.AttachSignatures.self)
        on(Runtime.TagImage.self)
        on(Runtime.RemoveImage.self)
        on(Runtime.ListContainers.self)
        on(Runtime.StartContainer.self)
        on(Runtime.StopContainer.self)
        on(Runtime.RemoveContainer.self)
        on(Runtime.UpdateContainer.self)
        on(Runtime.StreamLogs.self)
        on(Runtime.ListVolumes.self)
        on(Runtime.CreateVolume.self)
        on(Runtime.RemoveVolume.self)
        on(Runtime.ListPlugins.self)
        on(Runtime.StartPlugin.self)
        on(Runtime.StopPlugin.self)
        on(Runtime.RemovePlugin.self)
        on(Runtime.SurveyUse.self)
        on(Runtime.RemoveUnusedContainer.self)
        on(Runtime.RemoveUnusedImage.self)
        on(Runtime.RemoveUnusedVolume.self)
        return (service, checks)
    }()

    private struct Parameters<M: Method>: Codable {
        var parameters: M.Parameters
    }

    private static func check<M: Method>(_ method: M.Type, _ data: Data) {
        let decoder = JSONDecoder()
        // Parameters may be left out altogether.
        guard let read = try? decoder.decode(Parameters<M>.self, from: data) else { return }
        guard let written = try? CanonicalJSON.encode(read),
            let again = try? decoder.decode(Parameters<M>.self, from: written)
        else { fatalError("\(read.parameters) cannot be written and read") }
        requireEqual(try? CanonicalJSON.encode(again), written)
    }
}
