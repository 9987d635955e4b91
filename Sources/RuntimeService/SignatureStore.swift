import CosignSignature
import FoundationEssentials
import Glibc
import OCI
import RuntimeAPI
import SystemIO

/// The signatures that came with images, a file for each image. What is in them is anybody's word
/// until it is verified.
@EventLoop
public final class SignatureStore {
    private let folder: Folder
    /// The images that have a file.
    private(set) var images: Set<Digest> = []
    /// Whoever adds to a file keeps what is in it.
    private let turns = Turns()

    private static let suffix = ".json"
    /// More than anybody has signed an image.
    static let maximumForAnImage = RequestLimits.signatures.maximum

    /// A signature as it is on the disk.
    private struct Record: Codable {
        var manifest: Data
        var index: Data?
        var payload: Data
        var signature: Data
    }

    /// - Parameter folder: made when it is missing.
    /// - Throws: `SystemError`.
    public init(_ folder: String) throws(SystemError) {
        self.folder = try Folder(making: folder, mode: 0o755)
        for name in try self.folder.names() where name.hasSuffix(Self.suffix) {
            if let digest = Digest(.sha256, hexadecimal: name.dropLast(Self.suffix.count)) {
                images.insert(digest)
            }
        }
    }

    /// What there is for an image.
    ///
    /// - Throws: what its file cannot be read for.
    func evidence(for image: Digest) throws -> [SignatureEvidence] {
        guard images.contains(image) else { return [] }
        let data = try Data(contentsOf: URL(filePath: path(image)))
        return try JSONDecoder().decode([Record].self, from: data).map {
            SignatureEvidence(
                manifest: Array($0.manifest), index: $0.index.map { Array($0) },
                payload: Array($0.payload), signature: Array($0.signature))
        }
    }

    /// Adds to what there is for an image. Where that gets too much, what is not good goes first:
    /// nobody can push a good one out with others.
    ///
    /// - Throws: `SystemError` or `EncodingError`.
    func add(
        _ evidence: [SignatureEvidence], to image: Digest,
        isGood: @EventLoop (SignatureEvidence) -> Bool
    ) async throws {
        try await turns.take {
            // What is damaged is of no more use.
            let old = (try? self.evidence(for: image)) ?? []
            let all = merged(evidence, with: old, isGood: isGood)
            let records = all.map {
                Record(
                    manifest: Data($0.manifest), index: $0.index.map { Data($0) },
                    payload: Data($0.payload), signature: Data($0.signature))
            }
            let (folder, name) = (folder, "\(image.hexadecimal)\(Self.suffix)")
            let bytes = Array(try JSONEncoder().encode(records))
            // A disk may take its time, which nobody else's calls should have to wait for.
            try await withOwnThread(named: "signatures") {
                try folder.replace(name, with: bytes)
            }
            images.insert(image)
        }
    }

    private func merged(
        _ new: [SignatureEvidence], with old: [SignatureEvidence],
        isGood: @EventLoop (SignatureEvidence) -> Bool
    ) -> [SignatureEvidence] {
        var all: [SignatureEvidence] = []
        for one in new + old where !all.contains(one) { all.append(one) }
        if all.count > Self.maximumForAnImage {
            all = Array(
                (all.filter(isGood) + all.filter { !isGood($0) }).prefix(Self.maximumForAnImage))
        }
        return all
    }

    /// Forgets the signatures of images that are gone.
    func keep(only existing: Set<Digest>) {
        for image in images where !existing.contains(image) {
            unlink(path(image))
            images.remove(image)
        }
    }

    private func path(_ image: Digest) -> String {
        "\(folder.path)/\(image.hexadecimal)\(Self.suffix)"
    }
}
