import OCI
import Testing

@testable import ContentDigest

struct ContentHashTests {
    @Test func knownDigests() {
        #expect(
            "\(ContentHash.digest(of: Array("abc".utf8)))"
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            "\(ContentHash.digest(of: [], .sha512))".hasPrefix(
                "sha512:cf83e1357eefb8bdf1542850d66d"))
    }

    @Test func piecesAreOneContent() {
        let hash = ContentHash()
        for piece in ["a", "", "bc"] { Array(piece.utf8).withUnsafeBytes { hash.update($0) } }
        #expect(hash.finish() == ContentHash.digest(of: Array("abc".utf8)))
    }
}
