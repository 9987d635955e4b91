// swift-tools-version: 6.2
// One module for each responsibility; a target may depend only on those listed above it.

import PackageDescription

let grpc: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcProtobuf: Target.Dependency = .product(
    name: "GRPCProtobuf", package: "grpc-swift-protobuf")

/// Warnings are errors in what we write ourselves.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [],
    resources: [Resource] = [], exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: strict)
}

/// Smaller programs: no symbols for others to look up, relocations in a hundredth of the space, and
/// equal functions once. Only LLVM's linker packs relocations.
let compact: [LinkerSetting] = [
    .unsafeFlags(
        ["-use-ld=lld"]
            + ["--no-export-dynamic", "--icf=safe", "-z", "pack-relative-relocs"]
            .flatMap { ["-Xlinker", $0] },
        .when(configuration: .release))
]

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: compact)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies,
        swiftSettings: strict)
}

/// A program that looks for inputs for which a property does not hold (`make fuzz`), in a folder
/// of its name under Tests/Fuzz.
func fuzzing(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "Fuzz\(name)", dependencies: ["FuzzSupport"] + dependencies,
        path: "Tests/Fuzz/\(name)", swiftSettings: strict)
}

/// They need all of the code to be built in another way, so ordinary builds do not see them.
let fuzzers: [Target] =
    Context.environment["CONTAINERZ_FUZZ"] == nil
    ? []
    : [
        .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .target(
            name: "FuzzSupport", dependencies: ["CFuzzer", "SystemIO"],
            path: "Tests/Fuzz/FuzzSupport", swiftSettings: strict),
        fuzzing("AuthorizationPolicy", ["Authorization", "JSON"]),
        fuzzing("DevicePolicy", ["DevicePolicy", "JSON"]),
        fuzzing("EngineAnswer", ["ContainerEngine"]),
        fuzzing("HeaderFields", ["GRPCTransport", grpc]),
        fuzzing("ImageReference", ["OCI"]),
        fuzzing("ImageStream", ["ImageStream", "OCI"]),
        fuzzing("LogBatcher", ["ContainerzService"]),
        fuzzing("LogDemultiplexer", ["ContainerEngine", "RuntimeAPI"]),
        fuzzing("MessageDeframer", ["GRPCTransport", grpc]),
        fuzzing("MountOptions", ["DevicePolicy"]),
        fuzzing("MountTable", ["DevicePolicy"]),
        fuzzing("PluginArchive", ["ContentDigest", "ImageStream"]),
        fuzzing("RequestLimits", ["Varlink", "RuntimeAPI", "ContainerEngine", "JSON"]),
        fuzzing("ShellWords", ["ContainerzService"]),
        fuzzing("TargetsFile", ["Fleet", "PrintableText"]),
        fuzzing("TerminalFilter", ["PrintableText"]),
        fuzzing("VarlinkCall", ["Varlink", "RuntimeAPI", "JSON"]),
        fuzzing("VarlinkFraming", ["Varlink"]),
    ]

let package = Package(
    name: "containerz",
    dependencies: [
        .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
        // Without its default traits, one of which brings in all of Foundation.
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    ],
    targets: [
        // The system's libraries: a module map and a shim header each.
        .target(name: "CSystem"),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(
            name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        module("PrintableText"),
        tests(of: "PrintableText"),
        module("SystemIO", ["CSystem", "PrintableText"]),
        module("JSON", ["PrintableText"]),
        tests(of: "JSON"),
        module("OCI", ["PrintableText"]),
        tests(of: "OCI"),
        module("ContentDigest", ["OCI", "COpenSSL"]),
        tests(of: "ContentDigest", ["OCI"]),
        module("CosignSignature", ["OCI", "ContentDigest", "COpenSSL"]),
        tests(of: "CosignSignature", ["OCI"]),
        module(
            "ImageStream",
            ["SystemIO", "PrintableText", "JSON", "OCI", "ContentDigest", "CArchive"]),
        tests(of: "ImageStream", ["OCI", "ContentDigest", "SystemIO", "CArchive"]),

        module("GRPCTransport", ["SystemIO", "CNghttp2", "COpenSSL", grpc]),
        tests(of: "SystemIO"),

        module("Varlink", ["SystemIO", "JSON"]),
        tests(of: "Varlink", ["SystemIO", "JSON"]),

        module("ServerAddress"),
        tests(of: "ServerAddress"),
        module("HTTPClient", ["CSystem", "SystemIO", "ServerAddress", "CCurl", "COpenSSL"]),
        tests(of: "HTTPClient", ["SystemIO", "ServerAddress"]),

        module(
            "RuntimeAPI", ["SystemIO", "OCI", "Varlink"],
            resources: [.embedInCode("org.containerz.Runtime.varlink")]),
        tests(of: "RuntimeAPI", ["Varlink"]),

        module(
            "DevicePolicy",
            ["CSystem", "OCI", "JSON", "PrintableText", "RuntimeAPI", "SystemIO"]),
        tests(of: "DevicePolicy", ["OCI", "JSON", "PrintableText", "RuntimeAPI", "SystemIO"]),

        module(
            "ContainerEngine",
            [
                "SystemIO", "PrintableText", "OCI", "JSON", "ServerAddress", "HTTPClient",
                "RuntimeAPI", "DevicePolicy",
            ]),
        tests(of: "ContainerEngine", ["RuntimeAPI", "SystemIO"]),

        module("Authorization", ["JSON"]),
        tests(of: "Authorization", ["JSON"]),
        module(
            "AccessControl",
            ["SystemIO", "Authorization", "GRPCTransport", "CCrypt", "COpenSSL", grpc, log]),
        tests(of: "AccessControl", ["Authorization", "GRPCTransport", "SystemIO", grpc, log]),

        module("GRPCHealth", [grpc, grpcProtobuf, protobuf], exclude: ["protos"]),
        module("HealthService", ["SystemIO", "GRPCTransport", "GRPCHealth", grpc, protobuf]),
        tests(of: "HealthService", ["SystemIO", "GRPCHealth", grpc]),
        module(
            "GRPCReflection", [grpc, grpcProtobuf, protobuf],
            resources: [.embedInCode("descriptors.pb")], exclude: ["protos"]),
        tests(of: "GRPCReflection", [grpc, protobuf]),
        module(
            "HealthProbe",
            ["SystemIO", "HTTPClient", "GRPCTransport", "GRPCHealth", grpc, protobuf]),
        tests(of: "HealthProbe"),

        module(
            "ContainerUpdate",
            [
                "SystemIO", "PrintableText", "RuntimeAPI", "ContainerEngine", "HealthProbe", log,
            ]),
        tests(of: "ContainerUpdate", ["SystemIO", "RuntimeAPI", "ContainerEngine", log]),

        module("Daemon", ["SystemIO", "PrintableText", "JSON", log]),
        tests(of: "Daemon", [log]),
        module("Metrics", ["SystemIO", log]),
        tests(of: "Metrics", ["SystemIO", log]),
        module("ServerMetrics", ["SystemIO", "Metrics", "GRPCTransport", grpc]),
        tests(of: "ServerMetrics", ["SystemIO", "GRPCTransport", grpc]),
        module(
            "RuntimeService",
            [
                "SystemIO", "PrintableText", "OCI", "JSON", "Varlink", "RuntimeAPI",
                "CosignSignature", "DevicePolicy", "ContainerEngine", "ContainerUpdate", "Metrics",
                log,
            ]),
        tests(
            of: "RuntimeService",
            [
                "RuntimeAPI", "SystemIO", "Varlink", "OCI", "DevicePolicy", "ContainerEngine",
                "ContainerUpdate", log,
            ]),
        program(
            "cz-runtime",
            [
                "RuntimeService", "ContainerEngine", "ContainerUpdate", "DevicePolicy",
                "RuntimeAPI", "Varlink", "JSON", "Daemon", "Metrics", "SystemIO", log, arguments,
            ]),

        module("ImageLoading", ["SystemIO", "OCI", "ImageStream", "RuntimeAPI"]),
        module(
            "ImageFetching",
            [
                "SystemIO", "PrintableText", "OCI", "JSON", "HTTPClient", "ServerAddress",
                "ContentDigest", "ImageStream",
            ]),
        tests(of: "ImageFetching", ["ContentDigest", "OCI", "SystemIO"]),
        module("Cleaning", ["RuntimeAPI"]),
        tests(of: "Cleaning", ["RuntimeAPI"]),
        module("Schedule"),
        tests(of: "Schedule"),
        module("TextTable", ["PrintableText"]),
        tests(of: "TextTable"),

        module(
            "Janitor",
            [
                "SystemIO", "OCI", "ContentDigest", "ImageStream", "Varlink", "RuntimeAPI",
                "Cleaning", "Metrics",
            ]),
        tests(of: "Janitor", ["Cleaning", "RuntimeAPI", "SystemIO"]),
        program(
            "cz-janitor",
            [
                "Janitor", "Cleaning", "Schedule", "TextTable", "Daemon", "RuntimeAPI", "JSON",
                "SystemIO", log, arguments,
            ]),

        program(
            "cz-pull",
            [
                "ImageFetching", "ImageLoading", "ImageStream", "ServerAddress", "HTTPClient",
                "RuntimeAPI", "Varlink", "OCI", "JSON", "SystemIO", arguments,
            ]),

        module("LabCertificates", ["SystemIO", "COpenSSL"]),
        tests(of: "LabCertificates", ["SystemIO", "COpenSSL"]),

        module("GNOI", [grpc, grpcProtobuf, protobuf], exclude: ["protos"]),
        module("UpgradeAPI", [grpc, grpcProtobuf, protobuf], exclude: ["protos"]),
        module(
            "PackageUpgrade",
            [
                "SystemIO", "OCI", "ContentDigest", "GRPCTransport", "GNOI", "UpgradeAPI", grpc,
                protobuf, log,
            ]),
        tests(of: "PackageUpgrade", ["OCI", "GNOI", "UpgradeAPI", grpc, protobuf]),
        module(
            "ContainerzService",
            [
                "SystemIO", "OCI", "JSON", "ImageStream", "ImageLoading", "ServerAddress",
                "Varlink",
                "RuntimeAPI", "GRPCTransport", "GNOI", grpc, grpcProtobuf, protobuf, log,
            ]),
        tests(
            of: "ContainerzService",
            [grpc, protobuf, "SystemIO", "ServerAddress", "GNOI", "RuntimeAPI"]),
        program(
            "containerzd",
            [
                "ContainerzService", "PackageUpgrade", "AccessControl", "Authorization", "JSON",
                "RuntimeAPI", "ServerAddress",
                "GRPCTransport", "Daemon", "Metrics", "ServerMetrics", "SystemIO",
                "HealthService", "GRPCReflection", grpc, log, arguments,
            ]),

        module(
            "ContainerzClient",
            [
                "SystemIO", "OCI", "ContentDigest", "GRPCTransport", "GNOI", "UpgradeAPI", grpc,
                protobuf,
            ]),
        tests(of: "ContainerzClient", ["SystemIO", "ContentDigest", "GNOI"]),
        module("Fleet", ["SystemIO", "PrintableText", "JSON"]),
        tests(of: "Fleet", ["SystemIO"]),
        program(
            "cz",
            [
                "ContainerzClient", "Fleet", "HealthProbe", "LabCertificates", "OCI",
                "ContentDigest", "JSON", "ServerAddress", "GRPCTransport", "GNOI", "UpgradeAPI",
                "SystemIO", "PrintableText", "TextTable", grpc, arguments,
            ]),

        tests(of: "GNOI", [grpc, protobuf]),
        tests(of: "GRPCTransport", ["SystemIO", grpc]),
        // For the tests with clients that others wrote.
        .executableTarget(
            name: "echo-server", dependencies: ["GRPCTransport", "SystemIO", grpc],
            path: "Tests/Interop/EchoServer", swiftSettings: strict),
    ] + fuzzers,
    swiftLanguageModes: [.v6]
)
