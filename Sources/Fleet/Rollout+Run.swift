import SystemIO

extension Rollout {
    /// Carries it out.
    ///
    /// - Parameters:
    ///   - stop: looked at before a device begins; those that have begun come to their end.
    ///   - operation: given a device's index, says whether it is well. Nothing of it is kept.
    /// - Returns: the rollout at its end.
    @EventLoop
    public func run(
        until stop: StopRequest, _ operation: @escaping @Sendable @EventLoop (Int) async -> Bool
    ) async -> Rollout {
        await withTaskGroup(of: (index: Int, isWell: Bool).self) { group in
            var rollout = self
            while true {
                if stop.isMade { rollout.stop(.asked) }
                switch rollout.next() {
                case .begin(let index):
                    group.addTask { (index, await operation(index)) }
                case .wait:
                    guard let ended = await group.next() else { return rollout }
                    rollout.ended(ended.index, isWell: ended.isWell)
                case .pause(let duration): await stop.sleep(for: duration)
                case .end: return rollout
                }
            }
        }
    }
}
