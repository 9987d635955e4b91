import GNOI
import Testing

@testable import ContainerzClient

struct StartOptionsTests {
    @Test func everyOption() throws {
        var options = StartOptions()
        options.instance = "web"
        options.ports = ["8080:80"]
        options.environment = ["A=b=c", "D="]
        options.volumes = ["data:/data", "/tmp:/x:ro"]
        options.restart = "on-failure:3"
        options.user = "u:g"
        options.addedCapabilities = ["NET_ADMIN"]
        options.devices = ["/dev/a", "/dev/a:/dev/b:rm"]
        options.cpus = 1.5
        options.memory = "64m"
        options.softMemory = "1024"
        options.labels = ["l=m"]
        options.location = "all"
        options.command = ["serve", "a b", "it's", ""]
        let request = try options.request(for: ("apps/web", "1.2"))
        #expect(request.imageName == "apps/web" && request.tag == "1.2")
        #expect(request.cmd == #"serve 'a b' 'it'\''s' ''"#)
        #expect(request.ports[0].external == 8080 && request.ports[0].internal == 80)
        #expect(request.environment == ["A": "b=c", "D": ""])
        #expect(request.volumes.map(\.readOnly) == [false, true])
        #expect(request.restart.policy == .onFailure && request.restart.attempts == 3)
        #expect(request.runAs.user == "u" && request.runAs.group == "g")
        #expect(request.devices[1].dstPath == "/dev/b")
        #expect(request.devices[1].permissions == [.read, .mknod])
        #expect(request.limits.hardMemBytes == 64 << 20 && request.limits.softMemBytes == 1024)
        #expect(request.labels == ["l": "m"] && request.location == .lAll)
    }

    @Test func whatIsNoOption() {
        func isRefused(_ change: (inout StartOptions) -> Void) {
            var options = StartOptions()
            change(&options)
            #expect(throws: OptionError.self) { try options.request(for: nil) }
        }
        for port in ["80", "80:", ":80", "0:1", "1:65536", "a:b", "1:2:3", ""] {
            isRefused { $0.ports = [port] }
        }
        for pair in ["A", "=b", ""] { isRefused { $0.environment = [pair] } }
        for volume in ["v", "v:", ":/x", "v:/x:rx", ""] { isRefused { $0.volumes = [volume] } }
        for device in ["", "a:", "a:b:x", "a:b:r:w"] { isRefused { $0.devices = [device] } }
        for policy in ["", "sometimes", "always:3", "on-failure:x"] {
            isRefused { $0.restart = policy }
        }
        for size in ["", "m", "-1", "0", "1.5g", "99999999999g", "64x"] {
            isRefused { $0.memory = size }
        }
        isRefused { $0.location = "here" }
    }
}
