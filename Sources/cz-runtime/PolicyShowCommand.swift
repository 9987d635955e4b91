import ArgumentParser
import DevicePolicy
import FoundationEssentials
import SystemIO

struct PolicyShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print the policy that holds where there is no file, as a file would have it.")

    func run() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = try encoder.encode(DevicePolicy.default.document)
        let text = String(decoding: document, as: UTF8.self)
        try StandardOutput.write("\(text)\n")
    }
}
