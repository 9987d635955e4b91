import ArgumentParser
import PackageUpgrade

/// How newer versions of this software get onto the device.
struct UpgradeOptions: ParsableArguments {
    private static let usual = SystemService.Configuration()

    @Option(
        name: .customLong("upgrade-program"),
        help: ArgumentHelp("What checks packages that clients send.", valueName: "path"))
    var program = usual.program

    @Option(
        name: .customLong("upgrade-dir"),
        help: ArgumentHelp("Where they are left for it to install.", valueName: "folder"))
    var inbox = usual.inbox

    @Option(
        name: .customLong("upgrade-result"),
        help: ArgumentHelp("Where it says what has become of them.", valueName: "file"))
    var result = usual.result

    var configuration: SystemService.Configuration {
        var configuration = SystemService.Configuration()
        configuration.program = program
        configuration.inbox = inbox
        configuration.result = result
        return configuration
    }
}
