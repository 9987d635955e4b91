/// A maximum of one thing that a request carries.
public struct RequestLimit: Hashable, Sendable {
    /// What is limited, as the table in cz-runtime-protocol(7) names it.
    public let title: String
    /// What is counted, in the plural.
    public let unit: String
    public let maximum: Int

    init(_ title: String, _ maximum: Int, _ unit: String) {
        self.title = title
        self.maximum = maximum
        self.unit = unit
    }

    /// - Parameter field: the field as the caller knows it.
    /// - Throws: `RuntimeError.invalidArgument` with the field, the number and the maximum.
    public func check(_ field: String, _ number: Int) throws(RuntimeError) {
        guard number <= maximum else {
            throw .invalidArgument(
                field: field, reason: "\(number) \(unit); the maximum is \(maximum)")
        }
    }

    /// Checks the bytes of a text in UTF-8.
    ///
    /// - Throws: as ``check(_:_:)-(_,Int)``.
    public func check(_ field: String, _ text: String) throws(RuntimeError) {
        try check(field, text.utf8.count)
    }
}

/// The maximum number and size of everything that a request can carry: one table for containerzd,
/// which checks gNOI requests, and for cz-runtime, which checks the calls of every caller.
///
/// The numbers are far above what applications use. They bound what one request costs the daemons
/// and the engine, and what a container adds to every listing.
public enum RequestLimits {
    // MARK: Filters

    /// There are five keys at most; gNOI requests may give a key several times.
    public static let filterEntries = RequestLimit("filter entries", 16, "entries")
    /// Each value is compared with every container, image or volume of the device.
    public static let filterValues = RequestLimit("filter values, all keys", 64, "values")
    /// `KEY=VALUE` of the longest label.
    public static let filterValueBytes = RequestLimit("filter value", 4608, "bytes")

    /// Patterns are compared byte by byte.
    public static let filterBytes = RequestLimit("filters, in total", 32 << 10, "bytes in total")

    // MARK: Names

    /// Of instances, volumes, drivers, networks and plugins. Engines accept at most 128 to 255.
    public static let nameBytes = RequestLimit("name, id, network, user or group", 256, "bytes")
    /// A repository has at most 255 bytes; engines' prefixes and a digest may come with it.
    public static let imageNameBytes = RequestLimit("image name", 512, "bytes")
    /// The OCI distribution specification's maximum.
    public static let tagBytes = RequestLimit("image tag", 128, "bytes")
    /// PATH_MAX of Linux.
    public static let pathBytes = RequestLimit("path", 4096, "bytes")
    /// URLs of signed downloads have one to two kilobytes.
    public static let addressBytes = RequestLimit("remote_download path", 8192, "bytes")
    /// Must fit into a pipe that is not read yet.
    public static let passwordBytes = RequestLimit("remote_download password", 4096, "bytes")

    // MARK: Containers

    /// A container's labels and environment together stay within 64 KiB, since engines keep them
    /// twice: as they are, and in what an update takes over.
    public static let labels = RequestLimit("labels", 128, "labels")
    public static let labelsBytes = RequestLimit("labels, in total", 16 << 10, "bytes in total")
    public static let environment = RequestLimit("environment variables", 512, "variables")
    /// Room for certificates and for configuration in JSON.
    public static let environmentBytes = RequestLimit(
        "environment, in total", 48 << 10, "bytes in total")
    /// Of a label, an environment variable or a volume option.
    public static let keyBytes = RequestLimit("label, variable or option name", 256, "bytes")
    public static let labelValueBytes = RequestLimit("label or option value", 4096, "bytes")
    public static let variableBytes = RequestLimit("variable value", 32 << 10, "bytes")
    public static let commandWords = RequestLimit("command words", 512, "words")
    /// Room for a script.
    public static let commandBytes = RequestLimit("command, in total", 32 << 10, "bytes in total")
    /// Engines start a process or add rules for each.
    public static let ports = RequestLimit("ports", 256, "ports")
    public static let mounts = RequestLimit("volumes of a container", 64, "volumes")
    public static let devices = RequestLimit("devices", 64, "devices")
    /// There are three.
    public static let devicePermissions = RequestLimit("device permissions", 8, "permissions")
    /// Linux has 41.
    public static let capabilities = RequestLimit(
        "capabilities to add, to remove", 64, "capabilities")
    /// What is kept with the container so that an update can take it over.
    public static let containerBytes = RequestLimit("container, as JSON", 128 << 10, "bytes")

    // MARK: Volumes, plugins, images

    public static let volumeOptions = RequestLimit("volume options", 32, "options")
    public static let volumeOptionsBytes = RequestLimit(
        "volume options, in total", 16 << 10, "bytes in total")
    /// Real ones have a few kilobytes.
    public static let pluginConfigBytes = RequestLimit("plugin config", 256 << 10, "bytes")
    /// More than any image is signed with.
    public static let signatures = RequestLimit("signatures", 16, "signatures")
    public static let signatureBytes = RequestLimit("signature or its payload", 1 << 20, "bytes")
    /// Registries accept no larger ones.
    public static let manifestBytes = RequestLimit("manifest or index", 4 << 20, "bytes")
    /// An image's names, when it is removed with all of them.
    public static let imageNames = RequestLimit("names of an image", 4096, "names")

    // MARK: gNOI requests

    /// Larger ones are refused before they are decoded. Each has room for what is within the other
    /// limits.
    public static let listRequest = RequestLimit(
        "gNOI List request", 64 << 10, "bytes in the request")
    public static let containerRequest = RequestLimit(
        "gNOI StartContainer, UpdateContainer", 192 << 10, "bytes in the request")
    public static let volumeRequest = RequestLimit(
        "gNOI CreateVolume", 64 << 10, "bytes in the request")
    public static let pluginRequest = RequestLimit(
        "gNOI StartPlugin", 320 << 10, "bytes in the request")
    public static let shortRequest = RequestLimit(
        "other gNOI request but Deploy", 16 << 10, "bytes in the request")

    /// The table, in the manual's order.
    public static let all = [
        filterEntries, filterValues, filterValueBytes, filterBytes, nameBytes, imageNameBytes,
        tagBytes,
        pathBytes, addressBytes, passwordBytes, labels, labelsBytes, environment,
        environmentBytes, keyBytes, labelValueBytes, variableBytes, commandWords, commandBytes,
        ports, mounts, devices, devicePermissions, capabilities, containerBytes, volumeOptions,
        volumeOptionsBytes, pluginConfigBytes, signatures, signatureBytes, manifestBytes,
        imageNames, listRequest, containerRequest, volumeRequest, pluginRequest, shortRequest,
    ]

    // MARK: Checks of several values

    /// Checks a list of texts: their number, each of them, and all together.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    public static func check(
        _ field: String, _ texts: some Collection<String>, count: RequestLimit,
        each: RequestLimit? = nil, total: RequestLimit? = nil
    ) throws(RuntimeError) {
        try count.check(field, texts.count)
        var bytes = 0
        for text in texts {
            try each?.check(field, text)
            bytes += text.utf8.count
        }
        try total?.check(field, bytes)
    }

    /// Checks a map: its size, each key and value, and all together.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func check(
        _ field: String, _ map: [String: String], count: RequestLimit, value: RequestLimit,
        total: RequestLimit
    ) throws(RuntimeError) {
        try count.check(field, map.count)
        var bytes = 0
        for (key, text) in map {
            try keyBytes.check(field, key)
            try value.check(field, text)
            bytes += key.utf8.count + text.utf8.count
        }
        try total.check(field, bytes)
    }

    /// - Throws: `RuntimeError.invalidArgument`.
    public static func check(labels map: [String: String]) throws(RuntimeError) {
        try check(
            "labels", map, count: labels, value: labelValueBytes, total: labelsBytes)
    }

    /// - Throws: `RuntimeError.invalidArgument`.
    public static func check(environment map: [String: String]) throws(RuntimeError) {
        try check(
            "environment", map, count: environment, value: variableBytes,
            total: environmentBytes)
    }

    /// - Throws: `RuntimeError.invalidArgument`.
    public static func check(
        _ field: String, volumeOptions map: [String: String]
    ) throws(RuntimeError) {
        try check(
            field, map, count: volumeOptions, value: labelValueBytes, total: volumeOptionsBytes)
    }

    /// Checks filters, whose keys may come several times.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    public static func check(
        _ field: String, filters: some Collection<(key: String, values: [String])>
    ) throws(RuntimeError) {
        try filterEntries.check(field, filters.count)
        var count = 0
        for (_, values) in filters { count += values.count }
        try filterValues.check(field, count)
        var bytes = 0
        for (key, values) in filters {
            try nameBytes.check(field, key)
            bytes += key.utf8.count
            for value in values {
                try filterValueBytes.check(field, value)
                bytes += value.utf8.count
            }
        }
        try filterBytes.check(field, bytes)
    }
}
