import Testing

@testable import Cleaning

@Suite("Which files go")
struct FileSelectionTests {
    private let files = [
        StoredFile(path: "b", size: 10, modified: 200),
        StoredFile(path: "a", size: 20, modified: 100),
        StoredFile(path: "c", size: 30, modified: 300),
    ]

    @Test(
        "The longest unused, until the rest fits",
        arguments: [
            (60, []), (59, ["a"]), (40, ["a"]), (39, ["a", "b"]), (29, ["a", "b", "c"]),
            (0, ["a", "b", "c"]),
        ] as [(Int64, [String])])
    func limit(_ limit: Int64, _ expected: [String]) {
        #expect(FileSelection.exceeding(limit, files).map(\.path) == expected)
    }

    @Test("What nobody has written to for a day")
    func abandoned() {
        #expect(FileSelection.abandoned(files, now: 86400 + 200).map(\.path) == ["b", "a"])
    }

    @Test(
        "Ages are told in their largest unit",
        arguments: [
            (-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"),
            (86399, "23h"), (8 * 86400, "8d"),
        ] as [(Int64, String)])
    func ages(_ seconds: Int64, _ expected: String) {
        #expect(Age.text(seconds) == expected)
    }
}
