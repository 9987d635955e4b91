import FuzzSupport
import ImageStream
import OCI

/// What comes out is an image's archive that would pass again as it is, and does not depend on
/// how the input is cut into pieces; of an archive that is refused, no image can be made.
@main struct ImageStreamTarget: FuzzTarget {
    private struct Outcome: Equatable {
        var image: NormalisedImage?
        var output: [UInt8] = []
    }

    private static let limits = ImageStreamLimits(maximumExpansion: 1 << 20)
    /// Beside the layers there are headers and padding, one of each for each in the input.
    private static let largestOutput = 4 << 20

    static func run(_ input: inout FuzzInput) {
        let cuts = input.cuts()
        let repairs = input.choice(true, false)
        let name = input.choice("wanted:1", nil).flatMap { try? ImageReference(parsing: $0) }
        let bytes = repairs ? repairTarChecksums(input.bytes) : input.bytes
        let whole = normalise([bytes], as: name)
        let cut = normalise(cuts.pieces(of: bytes), as: name)
        requireEqual(whole.image, cut.image)
        require(whole.output.count <= largestOutput, "\(whole.output.count) bytes came out")
        let again = normalise([whole.output], as: nil)
        guard let image = whole.image else {
            return require(again.image == nil, "there is an image in what was refused")
        }
        requireEqual(bytes: whole.output, cut.output, "the pieces make a difference")
        requireEqual(Int(image.size), whole.output.count)
        if let name { requireEqual(image.name, name) }
        requireEqual(again.image?.name.tagged, image.name.tagged)
        requireEqual(again.image?.configDigest, image.configDigest)
        requireEqual(bytes: again.output, whole.output, "the archive changes when it passes again")
    }

    private static func normalise(_ pieces: [[UInt8]], as name: ImageReference?) -> Outcome {
        let file = ScratchFile()
        do {
            let image = try ImageStream.normalise(
                from: Pieces(pieces), to: file.descriptor(), as: name, limits: limits)
            return Outcome(image: image, output: file.bytes)
        } catch {
            require(!error.description.isEmpty, "an error without a text")
            return Outcome(output: file.bytes)
        }
    }
}

/// Hands out pieces one by one, each in memory of its own, which the next call gives back.
private final class Pieces: ByteSource {
    private var rest: ArraySlice<[UInt8]>
    private var current: UnsafeMutableRawBufferPointer?

    init(_ pieces: [[UInt8]]) {
        // An empty piece would be the end.
        rest = pieces.filter { !$0.isEmpty }[...]
    }

    deinit { current?.deallocate() }

    func next() -> UnsafeRawBufferPointer {
        current?.deallocate()
        current = nil
        guard let piece = rest.popFirst() else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
        bytes.copyBytes(from: piece)
        current = bytes
        return UnsafeRawBufferPointer(bytes)
    }
}
