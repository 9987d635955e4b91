import RuntimeAPI
import SystemIO
import Testing

@testable import ContainerEngine

@EventLoop
struct EngineTextsTests {
    private func loaded(_ reply: String) -> Result<[String], RuntimeError> {
        Result { () throws(RuntimeError) in
            try DockerEngine.loadedNames(in: Array(reply.utf8))
        }
    }

    @Test func repliesToALoad() {
        #expect(loaded(#"{"stream":"Loaded image: a:1\n"}"# + "\r\n") == .success(["a:1"]))
        #expect(
            loaded(
                #"{"stream":"Loaded image: a:1\n"}"# + "\n" + #"{"stream":"Loaded image: b:1\n"}"#)
                == .success(["a:1", "b:1"]))
        #expect(
            loaded(#"{"stream":"Loaded image: localhost/a:1,localhost/b:1"}"#)
                == .success(["localhost/a:1", "localhost/b:1"]))
        #expect(
            loaded(#"{"stream":"Loaded image ID: sha256:12\n"}"#) == .success(["sha256:12"]))
        #expect(loaded("") == .success([]))
        #expect(
            loaded(#"{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}"#)
                == .failure(.loadFailed(reason: "unexpected EOF")))
        #expect(
            loaded(#"{"errorDetail":{"message":"write /x: no space left on device"}}"#)
                == .failure(.insufficientStorage(reason: "write /x: no space left on device")))
    }

    @Test func aPortThatIsTaken() {
        var spec = ContainerSpec()
        spec.ports = [.init(internal: 1, external: 80), .init(internal: 2, external: 7777)]
        for text in [
            "Bind for 0.0.0.0:7777 failed: port is already allocated",
            "cannot listen on the TCP port: listen tcp4 :7777: bind: address already in use",
        ] {
            #expect(
                EngineTexts.startFailure(text, of: spec, named: "x") == .portInUse(7777))
        }
    }

    @Test(
        arguments: [
            ("1.41", "1.12", "1.41"), ("1.52", "1.44", "1.44"), ("1.40", "1.12", "1.40"),
            ("1.45", nil, "1.41"),
        ] as [(String, String?, String)])
    func theVersionIsNegotiated(newest: String, oldest: String?, used: String) {
        #expect(EngineDialect.apiVersion(from: oldest, to: newest) == used)
    }

    @Test func shortNamesOnPodman() {
        #expect(EngineDialect.podman.engineRepository("web") == "localhost/web")
        #expect(EngineDialect.podman.engineRepository("apps/web") == "localhost/apps/web")
        #expect(EngineDialect.podman.engineRepository("reg:5000/web") == "reg:5000/web")
        #expect(EngineDialect.podman.engineRepository("localhost/web") == "localhost/web")
        #expect(EngineDialect.docker.engineRepository("web") == "web")
    }

    @Test(arguments: [
        "a", "", "a b", "a/b", "../x", ".hidden", "-x", "new\nline",
        String(repeating: "x", count: 10_000),
    ])
    func namesThatNoInstanceHas(name: String) {
        #expect(!InstanceName.isValid(name))
        let error = #expect(throws: RuntimeError.self) { try InstanceName.check(name) }
        #expect((error?.description.count).map { $0 < 250 } ?? false)
    }

    @Test func namesMadeUp() {
        let name = InstanceName.makeUp(for: ImageName(repository: "apps/web", tag: "1"))
        #expect(name.hasPrefix("web-") && InstanceName.isValid(name))
    }

    @Test(
        "A listing is asked for again when something came or went meanwhile",
        arguments: [
            "container 475b does not exist in database: no such container",
            "retrieving parent of image \"24\": you may need to remove the image to resolve the "
                + "error: reading image \"8c\": locating image with ID \"8c\": image not known",
            "locating item named \"manifest\" for image with ID \"b8\" (consider removing the "
                + "image to resolve the issue): file does not exist",
        ])
    func askAgain(_ text: String) {
        #expect(EngineTexts.saysAskAgain(text))
    }
}
