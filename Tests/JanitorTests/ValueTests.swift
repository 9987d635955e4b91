import Testing

@testable import Janitor

@Suite("Values on the command line")
struct ValueTests {
    @Test(
        "Times",
        arguments: [
            ("0s", 0), ("30s", 30), ("10m", 600), ("1h", 3600), ("7d", 604_800), ("", nil),
            ("7", nil), ("d", nil), ("-1s", nil), ("+1s", nil), ("1.5h", nil), ("1w", nil),
            ("99999999999999999999s", nil), ("9223372036854775807d", nil), ("37000d", nil),
        ] as [(String, Int64?)])
    func times(_ text: String, _ expected: Int64?) {
        #expect(TimeSpan(text)?.seconds == expected)
    }

    @Test(
        "Sizes",
        arguments: [
            ("0", 0), ("12", 12), ("1K", 1024), ("500M", 500 << 20), ("2G", 2 << 30),
            ("1T", 1 << 40), ("", nil), ("G", nil), ("-1", nil), ("1.5G", nil), ("1g", nil),
            ("9223372036854775807K", nil),
        ] as [(String, Int64?)])
    func sizes(_ text: String, _ expected: Int64?) {
        #expect(ByteCount(text)?.bytes == expected)
    }

    @Test(
        "Sizes for people",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"),
            (3 << 30, "3.0 GiB"),
        ] as [(Int64, String)])
    func readableSizes(_ bytes: Int64, _ expected: String) {
        #expect(ByteCount.text(bytes) == expected)
    }
}
