import Testing

@testable import AccessControl

@Suite("The password file") struct PasswordFileTests {
    @Test("Only the right password of a name that is there is right")
    func verification() throws {
        let made = try #require(Self.hash(of: "secret"))
        let file = try PasswordFile(parsing: Array("# people\n\nalice:\(made)\n".utf8))
        #expect(file.verify("alice", "secret"))
        #expect(!file.verify("alice", "Secret"))
        #expect(!file.verify("alice", ""))
        #expect(!file.verify("bob", "secret"))
    }

    @Test(
        "What is no such file is refused, without a word of what is in it",
        arguments: [
            "alice", "alice:", "alice:secret", "alice:$1$salt$abcdefghijklmnopqrstuv", ":x",
            "alice:*", "a b:$6$x$y",
        ])
    func refusals(_ line: String) {
        #expect {
            try PasswordFile(parsing: Array("# first\n\(line)\n".utf8))
        } throws: { error in
            "\(error)".contains("line 2") && !"\(error)".contains("secret")
        }
    }

    @Test("A locked account cannot log in, and the others can")
    func locked() throws {
        let made = try #require(Self.hash(of: "secret"))
        let file = try PasswordFile(parsing: Array("alice:!\(made)\nbob:\(made)\n".utf8))
        #expect(!file.verify("alice", "secret") && file.verify("bob", "secret"))
    }

    @Test("A name that is there twice is refused")
    func duplicates() throws {
        let made = try #require(Self.hash(of: "x"))
        #expect(throws: PasswordFile.Failure.self) {
            try PasswordFile(parsing: Array("a:\(made)\na:\(made)\n".utf8))
        }
    }

    private static func hash(of password: String) -> String? {
        PasswordFile.crypt(password, setting: "$6$saltsalt$")
    }
}
