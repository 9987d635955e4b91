import RuntimeAPI
import Testing

@testable import DevicePolicy

/// The rule that no container can redirect a bind mount.
struct FolderSeparationTests {
    /// What the device has mounted beside its root.
    private static let mounts = """
        1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        2 1 8:2 / /media rw - ext4 /dev/sda2 rw
        3 2 8:3 / /media/usb rw - vfat /dev/sdb1 rw
        4 1 8:1 /srv/d /mnt/alias rw - ext4 /dev/sda1 rw
        5 1 8:3 /inner /mnt/stick rw - vfat /dev/sdb1 rw
        6 1 8:4 / /data ro - squashfs /dev/sda4 ro
        7 6 8:5 / /data/ro ro - squashfs /dev/sda5 ro
        8 1 8:1 /srv /mnt/loop/back rw - ext4 /dev/sda1 rw
        9 1 0:40 / /mnt/merged rw - overlay o rw,lowerdir=/usr:/srv/lower,upperdir=/data/up
        """

    private func rule(
        _ own: [SharedFolder], beside others: [SharedFolder] = [], links: [String: String] = [:],
        mounts: String = Self.mounts
    ) -> String? {
        let separation = FolderSeparation(Links(links: links, mounts: mounts))
        return refusal { () throws(RuntimeError) in try separation.check(own, beside: others) }
    }

    @Test(
        arguments: [
            // One within the other.
            ("/srv/a/b", "/srv/a", false), ("/srv/a/b/c", "/srv/a", false),
            // The same, separate ones, and ones with a common prefix.
            ("/srv/a", "/srv/a", true), ("/srv/a", "/srv/b", true), ("/srv/ab", "/srv/a", true),
            ("/srv/a/", "/srv//a", true),
            // Through a mount of a folder elsewhere.
            ("/mnt/alias/y", "/srv/d", false), ("/mnt/alias/y", "/srv", false),
            ("/srv/d/y", "/mnt/alias", false), ("/mnt/alias", "/srv/d", true),
            ("/mnt/alias/y", "/srv/e", true), ("/mnt/alias", "/mnt/alias", true),
            // A mount below a folder belongs to the folder.
            ("/media/usb/x", "/media", false), ("/mnt/stick/x", "/media", false),
            ("/mnt/stick/x", "/media/usb", false), ("/mnt/stick", "/media/usb", true),
            ("/mnt/stick/x", "/media/other", true),
            // A mount that leads back up.
            ("/srv/a", "/mnt/loop", false),
            // Layers of an overlay.
            ("/mnt/merged/x", "/srv/lower", false), ("/mnt/merged/x", "/srv", false),
            ("/mnt/merged/x", "/srv/lower/deep", false), ("/mnt/merged", "/srv/lower", true),
            ("/mnt/merged/x", "/srv/other", true),
        ])
    func allowsOnlyFoldersThatCannotRedirectEachOther(
        _ one: String, _ other: String, _ isAllowed: Bool
    ) {
        for (first, second) in [(one, other), (other, one)] {
            let outcome = rule(
                [SharedFolder(first)], beside: [SharedFolder(second, holder: "web")])
            #expect((outcome == nil) == isAllowed, "\(first) beside \(second): \(outcome ?? "")")
            // Two folders of one container are the same threat.
            let alone = rule([SharedFolder(first), SharedFolder(second)])
            #expect((alone == nil) == isAllowed, "\(first) with \(second): \(alone ?? "")")
        }
    }

    @Test func countsReadOnlyFoldersLikeWritableOnes() {
        #expect(
            rule(
                [SharedFolder("/srv/a/b")],
                beside: [SharedFolder("/srv/a", holder: "web", isReadOnly: true)])
                == "hostPaths.deny")
    }

    @Test func refusesReadOnlyBindsOfFoldersWithWritableMounts() {
        func readOnly(_ path: String, isRecursive: Bool = true) -> String? {
            rule([SharedFolder(path, isRecursive: isRecursive, isReadOnly: true)])
        }
        #expect(readOnly("/media") == "hostPaths.deny")
        #expect(readOnly("/media", isRecursive: false) == nil)
        #expect(readOnly("/media/usb") == nil)
        #expect(readOnly("/data") == nil)
        #expect(rule([SharedFolder("/media")]) == nil)
    }

    @Test func refusesFolderThatContainsItsOwnPath() {
        #expect(rule([SharedFolder("/mnt/loop")]) == nil)
        let mounts = """
            1 0 8:1 / / rw - ext4 /dev/sda1 rw
            2 1 8:1 /srv /srv/x/up rw - ext4 /dev/sda1 rw
            """
        #expect(rule([SharedFolder("/srv/x")], mounts: mounts) == "hostPaths.deny")
    }

    @Test func comparesWhatLinksLeadTo() {
        let links = ["/srv/link": "/srv/a"]
        #expect(
            rule(
                [SharedFolder("/srv/link/b")], beside: [SharedFolder("/srv/a")], links: links)
                == "hostPaths.deny")
    }

    private func past(
        _ path: String, boot: String, _ own: String, links: Links? = nil
    ) -> String? {
        let files = links ?? Links(mounts: Self.mounts)
        return refusal { () throws(RuntimeError) in
            try FolderSeparation(files).check(
                [SharedFolder(own)], beside: [],
                past: [PastFolder(path, boot: boot, files.mountTable(), on: files)],
                boot: "now")
        }
    }

    @Test func countsFoldersThatContainersHadSinceTheBoot() {
        #expect(past("/srv/a", boot: "now", "/srv/a/b") == "hostPaths.deny")
        #expect(past("/srv/a", boot: "now", "/srv/a") == nil)
        #expect(past("/srv/d", boot: "now", "/mnt/alias/y") == "hostPaths.deny")
        #expect(past("/srv/a", boot: "before", "/srv/a/b") == nil)
        #expect(past("/srv/a", boot: "", "/srv/a/b") == nil)
    }

    @Test func countsFoldersOfEarlierBootsWhereMountsHideThem() {
        for boot in ["now", "before", ""] {
            #expect(past("/media/usb", boot: boot, "/media/usb/app") == "hostPaths.deny")
            #expect(past("/media", boot: boot, "/media/usb/app") == "hostPaths.deny")
        }
        #expect(past("/media/usb", boot: "before", "/media/usb") == nil)
        #expect(past("/srv", boot: "before", "/media/usb/app") == nil)
    }

    @Test func followsRenamedFolders() {
        var files = Links(mounts: Self.mounts)
        files.identities["/srv/d2"] = FileIdentity(device: 1, inode: 2)
        let had = PastFolder("/srv/d2", boot: "now", files.mountTable(), on: files)
        files.identities = ["/srv/e2": FileIdentity(device: 1, inode: 2)]
        let rule = refusal { () throws(RuntimeError) in
            try FolderSeparation(files).check(
                [SharedFolder("/srv/e2/y")], beside: [], past: [had], boot: "now")
        }
        #expect(rule == "hostPaths.deny")
    }

    @Test func findsWhatContainersHaveOfEachOther() {
        let files = Links(mounts: Self.mounts)
        let folders = [
            SharedFolder("/srv/a", holder: "a"), SharedFolder("/srv/a/b", holder: "b"),
            SharedFolder("/srv/c", holder: "c"), SharedFolder("/srv/c", holder: "d"),
        ]
        let violations = FolderSeparation(files).violations(among: folders)
        #expect(violations.count == 1)
        #expect(
            "\(violations)".contains("/srv/a/b of container b lies within /srv/a of container a"))
        #expect(FolderSeparation(Links(mounts: "")).violations(among: folders).isEmpty)
    }

    @Test func refusesEverythingWithoutMountTable() {
        #expect(rule([SharedFolder("/srv/a")], mounts: "") == "hostPaths.deny")
        #expect(rule([SharedFolder("/srv/a")], mounts: "garbage\n\n1 2") == "hostPaths.deny")
    }
}

struct MountTableTests {
    private func location(_ path: String, _ mounts: String) throws -> String? {
        MountTable(parsing: Array(mounts.utf8)).location(of: try #require(HostPath(path)))
            .map { "\($0.device) \($0.path)" }
    }

    @Test func followsMountsThatHideOthers() throws {
        let mounts = """
            1 0 8:1 / / rw - ext4 a rw
            2 1 8:2 / /srv/usb rw - ext4 b rw
            3 1 8:3 /root /srv rw - ext4 c rw
            4 3 8:4 / /srv rw - ext4 d rw
            """
        #expect(try location("/srv/usb/x", mounts) == "8:4 /usb/x")
        #expect(try location("/srv", mounts) == "8:4 /")
        #expect(try location("/srv2", mounts) == "8:1 /srv2")
        #expect(try location("/", mounts) == "8:1 /")
    }

    @Test func readsEscapedNamesAndOptionalFields() throws {
        let mounts = """
            1 1 0:30 / / ro,relatime master:1 propagate_from:2 - overlay overlay rw
            2 1 8:2 /a\\040b /mnt/c\\134d\\011\\012 rw - ext4 x rw
            """
        #expect(try location("/mnt/c\\d\t\n/e", mounts) == "8:2 /a b/e")
        #expect(try location("/mnt/c", mounts) == "0:30 /mnt/c")
    }

    @Test func endsOnListsThatAreNoTree() throws {
        let mounts = """
            1 9 8:1 / / rw - ext4 a rw
            2 3 8:2 / /a rw - ext4 b rw
            3 2 8:3 / /a rw - ext4 c rw
            2 1 8:2 / /a rw - ext4 b rw
            """
        #expect(try location("/a/b", mounts) != nil)
    }

    @Test func knowsItsOwnProcess() throws {
        let table = try FileSystem.mountTable(ofProcess: nil)
        #expect(table.location(of: try #require(HostPath("/proc/self"))) != nil)
    }
}
