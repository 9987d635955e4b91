import ContainerEngine
import SystemIO

extension EngineProvider {
    /// Looks again and again, ever more seldom, until the time is up or the task is cancelled. The
    /// engine may be gone for a moment: then there will be another look. One that has begun is
    /// brought to its end, since the engine would go on with it anyway.
    func keepLooking(
        for time: Duration,
        _ look: @escaping @Sendable @EventLoop (any UpdateEngine) async throws -> Void
    ) async {
        let end = ContinuousClock.now + time
        var delay = firstLook
        while ContinuousClock.now < end {
            guard (try? await EventLoop.sleep(for: delay)) != nil else { return }
            await EventLoop.task { [self] in try? await update(look) }.value
            delay = min(delay * 2, longestPause)
        }
    }
}

private let firstLook: Duration = .milliseconds(250)
private let longestPause: Duration = .seconds(2)
