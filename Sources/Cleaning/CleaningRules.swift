/// What may go, and when. Times are in seconds.
public struct CleaningRules: Hashable, Sendable {
    /// How long a container has to have been stopped, or never to have been started.
    public var stoppedAfter: Int64
    /// How long an image has not to have been used by any container.
    public var unusedAfter: Int64
    /// Images and volumes younger than this stay whatever the other rules say, so that what was
    /// just brought here can be put to use.
    public var minimumAge: Int64
    /// How many versions of each repository stay, for going back to.
    public var keep: Int
    /// Whether images that were pushed may go although no other of the repository is left.
    public var takesLastPushed: Bool
    /// Whether what was not deployed through containerz may go as well.
    public var takesForeign: Bool
    /// Whether anonymous volumes may go.
    public var takesVolumes: Bool
    /// Per cent of the storage in use above which images go before their time.
    public var highWater: Int
    /// Per cent of the storage in use down to which they go then.
    public var lowWater: Int

    public init(
        stoppedAfter: Int64 = 3600, unusedAfter: Int64 = 7 * 86400, minimumAge: Int64 = 120,
        keep: Int = 2, takesLastPushed: Bool = false, takesForeign: Bool = false,
        takesVolumes: Bool = false, highWater: Int = 85, lowWater: Int = 70
    ) {
        self.stoppedAfter = stoppedAfter
        self.unusedAfter = unusedAfter
        self.minimumAge = minimumAge
        self.keep = keep
        self.takesLastPushed = takesLastPushed
        self.takesForeign = takesForeign
        self.takesVolumes = takesVolumes
        self.highWater = highWater
        self.lowWater = lowWater
    }
}
