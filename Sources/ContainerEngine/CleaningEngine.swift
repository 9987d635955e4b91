import RuntimeAPI
import SystemIO

/// What an engine does for whoever cleans up.
///
/// The removals are called while nobody begins to use anything. Each looks at the thing once more,
/// then calls its `claim` with what else the thing is called, and removes it when that does not
/// throw. They throw `RuntimeError.stillNeeded` for what is not to be removed any more, and return
/// false for what is gone.
@EventLoop
public protocol CleaningEngine: AnyObject, Sendable {
    /// Everything there is; what the engine does not know is left as it is by default.
    func surveyUse() async throws -> Runtime.SurveyUse.Reply

    /// - Parameter claim: called with the instance name.
    func removeUnused(
        _ container: Runtime.RemoveUnusedContainer.Parameters,
        claim: @EventLoop (String) throws -> Void
    ) async throws -> Bool

    /// - Parameter claim: called with the image's id.
    func removeUnused(
        _ image: Runtime.RemoveUnusedImage.Parameters, claim: @EventLoop (String) throws -> Void
    ) async throws -> Bool

    /// - Parameter claim: called with whether it was made through us.
    func removeUnused(
        volume name: String, claim: @EventLoop (Bool) throws -> Void
    ) async throws -> Bool

    /// The image that a container is made of; nil where there is no such container.
    func imageID(ofContainer name: String) async throws -> String?
    /// The images of these names, as far as there are any.
    func imageIDs(of names: [ImageName]) async throws -> Set<String>
}
