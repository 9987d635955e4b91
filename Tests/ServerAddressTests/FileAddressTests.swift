import Testing

@testable import ServerAddress

@Suite("Files on servers") struct FileAddressTests {
    @Test(arguments: [
        ("https://files.example/web.tar", "https://files.example/web.tar", nil),
        ("sftp://robot@files.example:2222/a/b.tar", "sftp://files.example:2222/a/b.tar", "robot"),
        ("scp://[::1]/x.tar", "scp://[::1]/x.tar", nil),
        ("http://files.example/x?sig=a@b/c", "http://files.example/x?sig=a@b/c", nil),
    ])
    func urls(_ text: String, _ url: String, _ username: String?) {
        let address = FileAddress(text)
        #expect(address?.url == url)
        #expect(address?.username == username)
    }

    @Test(arguments: [
        "files.example/web.tar", "ftp://files.example/x.tar", "file:///etc/passwd", "sftp://",
        "https:///x.tar", "https://user:secret@files.example/x.tar", "https://@files.example/x",
        "sftp://files.example/a b", "sftp://files.example/a\u{7F}",
        "https://evil.example/\u{301}.files.example/x.tar",
    ])
    func others(_ text: String) {
        #expect(FileAddress(text) == nil)
    }

    @Test func hostAndPath() {
        #expect(
            FileAddress(.sftp, hostAndPath: "files.example:/images/web 1.tar")?.url
                == "sftp://files.example/images/web%201.tar")
        #expect(
            FileAddress(.scp, hostAndPath: "[2001:db8::1]:2222:/x.tar")?.url
                == "scp://[2001:db8::1]:2222/x.tar")
        // What means something in a URL is only a character of a path here.
        #expect(FileAddress(.sftp, hostAndPath: "h:/a?b#c")?.url == "sftp://h/a%3Fb%23c")
        for text in ["/x.tar", "host/x.tar", ":/x.tar", "a/b:/x.tar", "host:x.tar"] {
            #expect(FileAddress(.sftp, hostAndPath: text) == nil, "\(text)")
        }
    }
}

@Suite("Addresses on the web") struct WebAddressTests {
    @Test func redirects() {
        let from = "https://a.example:5000/v2/x?y"
        #expect(WebAddress.origin(from) == "https://a.example:5000")
        #expect(WebAddress.resolve("/other", from: from) == "https://a.example:5000/other")
        #expect(WebAddress.resolve("http://b/", from: from) == "http://b/")
        for location in ["", "//b/", "relative", "ftp://b/", "http://b/\u{301}", "/a b"] {
            #expect(WebAddress.resolve(location, from: from) == nil)
        }
    }

    @Test func encoding() {
        #expect(WebAddress.percentEncoded("/a b&c=é", keeping: ":/") == "/a%20b%26c%3D%C3%A9")
        #expect(WebAddress.percentEncoded("a-._~Z9/:\n") == "a-._~Z9%2F%3A%0A")
        #expect(WebAddress.percentDecoded("/a%20b%26c%3D%C3%A9") == "/a b&c=é")
        for text in ["%", "%4", "%+1", "%zz", "%FF"] {
            #expect(WebAddress.percentDecoded(text) == nil, "\(text)")
        }
    }
}
