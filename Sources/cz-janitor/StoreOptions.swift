import ArgumentParser
import Janitor

/// What is cleaned besides what cz-runtime has.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "containerzd's folder of plugins' tarballs: those go that no plugin was made from and "
                + "that are older than --unused-after.", valueName: "folder"))
    var pluginDir: String?

    @Option(
        help: ArgumentHelp(
            "cz-pull's cache: what was broken off goes after a day.", valueName: "folder"))
    var cache: String?

    @Option(
        help: ArgumentHelp(
            "How much the cache may hold; 1G when not given.", valueName: "size"))
    var cacheLimit: ByteCount?

    func validate() throws {
        guard cacheLimit == nil || cache != nil else {
            throw ValidationError("--cache-limit goes with --cache")
        }
    }

    var stores: Janitor.Stores {
        var stores = Janitor.Stores(plugins: pluginDir, cache: cache)
        if let cacheLimit { stores.cacheLimit = cacheLimit.bytes }
        return stores
    }
}
