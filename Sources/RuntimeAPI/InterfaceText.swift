/// The text of the interface `org.containerz.Runtime`, the same as the .varlink file beside this one,
/// which a test compares.
extension Runtime {
    public static let interfaceText = #"""
        # The containers and images of a device, as its container runtime sees them.
        #
        # Whoever can connect to the socket may call every method; the socket's file mode is the gate. What
        # the device's policy does not allow fails with PermissionDenied all the same.
        # Names of images are those the client used: an engine's own prefixes, such as `localhost/` or
        # `docker.io/library/`, are neither needed nor reported. Closing the connection cancels the call
        # under way. Descriptors travel with the call (SCM_RIGHTS), and a parameter holds the index of
        # the one meant, 0 for the first. New parameters and fields will be nullable.
        interface org.containerz.Runtime

        # A repository and one of its tags: `apps/web` and `1.2`.
        type ImageName (
          repository: string,
          tag: string
        )

        # An image in the engine's storage.
        type Image (
          # The digest of its configuration, `sha256:` and 64 hexadecimal digits.
          id: string,
          # Every name it goes by; empty when its last tag has moved to another image.
          names: []ImageName,
          # Bytes it occupies, layers shared with others included.
          size: int,
          # When it was built, in seconds since 1970.
          created: int,
          # `REPOSITORY@sha256:…` of the manifests it was fetched by; empty for loaded images.
          digests: []string
        )

        # A signature by cosign, both parts in base64: its payload, JSON that names the digest of a manifest
        # or of an index, and the signature of that, in DER.
        type Signature (
          payload: string,
          signature: string
        )

        # A container's port and the device's port it is published on, TCP, on all addresses.
        type PortMapping (
          internal: int,
          external: int
        )

        # A volume, or a directory of the device when it starts with a slash, and where it appears.
        type VolumeMount (
          name: string,
          mountPoint: string,
          readOnly: ?bool
        )

        # Removed first, then added; with or without the prefix `CAP_`; `ALL` stands for all of them.
        type Capabilities (
          add: ?[]string,
          remove: ?[]string
        )

        # What the engine does when the container ends. attempts, for onFailure alone, is how often it
        # is tried again; 0 for no limit.
        type RestartPolicy (
          policy: (never, always, unlessStopped, onFailure),
          attempts: ?int
        )

        # Absent or 0: no limit.
        type Limits (
          # Processors' worth of time: 1.5 is one and a half.
          cpus: ?float,
          # Bytes the container is pushed back to when memory is short.
          softMemory: ?int,
          # Bytes at which it is killed.
          hardMemory: ?int
        )

        # A device of the host, where it appears (the same path when absent), and what may be done with
        # it (everything when absent or empty).
        type Device (
          source: string,
          destination: ?string,
          permissions: ?[](read, write, mknod)
        )

        # A container to be.
        type ContainerSpec (
          # Absent to start again a stopped container that is given by its name alone.
          image: ?ImageName,
          # The words of the command; the image's own command when absent or empty.
          command: ?[]string,
          # Made up by the runtime when absent or empty.
          name: ?string,
          ports: ?[]PortMapping,
          environment: ?[string]string,
          volumes: ?[]VolumeMount,
          # The engine's default when absent or empty; `host` shares the device's.
          network: ?string,
          capabilities: ?Capabilities,
          restart: ?RestartPolicy,
          # A name or number known in the image.
          user: ?string,
          # Likewise.
          group: ?string,
          labels: ?[string]string,
          limits: ?Limits,
          devices: ?[]Device,
          # Which supervisor it is meant for; primary when absent.
          location: ?(primary, backup, all)
        )

        # A container that exists.
        type Container (
          id: string,
          # Its instance name, without a slash.
          name: string,
          # What it was started from; absent when the engine knows only the image's id by now.
          image: ?ImageName,
          # The digest of its image's configuration, as in Image.
          imageID: string,
          # restarting: it ended and the engine is about to start it again.
          state: (created, running, paused, restarting, removing, exited, dead),
          # Its own and the three location labels `net.openconfig.containerz.location.*`.
          labels: [string]string,
          # In seconds since 1970.
          created: int
        )

        # Storage that outlives the containers that mount it.
        type Volume (
          name: string,
          # `local`, or the name of a plugin.
          driver: string,
          # What the driver was given, such as `type`, `o` and `device`.
          options: [string]string,
          labels: [string]string,
          # In seconds since 1970; 0 when the engine does not tell.
          created: int
        )

        # A volume to be.
        type VolumeSpec (
          # Made up by the runtime when absent or empty.
          name: ?string,
          # `local` when absent or empty.
          driver: ?string,
          # For `local`: none, or `type`, `o` and `device` as mount(8) has them.
          options: ?[string]string,
          labels: ?[string]string
        )

        # A program of the engine's own that serves it, such as a volume driver.
        type Plugin (
          id: string,
          # Its instance name and the tag `latest`.
          name: string,
          # Whether it runs.
          running: bool,
          # The digest of the tarball it was made from; absent when it was made in another way.
          digest: ?string,
          # Its config.json, as the engine has it.
          config: string
        )

        # The file system that holds the engine's images, in bytes.
        type Storage (
          free: int,
          total: int
        )

        # A container as whoever cleans up has to see it.
        type ContainerUse (
          id: string,
          name: string,
          # As in Container.
          image: ?ImageName,
          imageID: string,
          state: (created, running, paused, restarting, removing, exited, dead),
          labels: [string]string,
          created: int,
          # When it ended last, in seconds since 1970; absent while it runs and when it never did.
          finished: ?int,
          # Whether its restart policy may start it again.
          restarts: bool,
          # Whether it was started through this interface.
          managed: bool,
          # Who needs it at this moment, an update or a start under way; absent for nobody.
          held: ?string
        )

        # An image as whoever cleans up has to see it.
        type ImageUse (
          id: string,
          # As in Image.
          names: []ImageName,
          digests: []string,
          labels: [string]string,
          size: int,
          created: int,
          # When it was loaded, or a container used it, for the last time, in seconds since 1970. The runtime
          # remembers that itself; of an image that came in another way, when it was seen first.
          lastUsed: int,
          # Whether it can be fetched again; one that was pushed cannot.
          fetched: bool,
          # Whether it was loaded through this interface.
          managed: bool,
          # A container of it, running or not; absent where there is none.
          container: ?string,
          # As in ContainerUse.
          held: ?string
        )

        # A volume as whoever cleans up has to see it.
        type VolumeUse (
          name: string,
          labels: [string]string,
          created: int,
          # Whether the engine made it up for a container, and nobody gave it a name.
          anonymous: bool,
          # Whether it was made through this interface, or for a container that was.
          managed: bool,
          # A container that mounts it, running or not; absent where there is none.
          container: ?string,
          # As in ContainerUse.
          held: ?string
        )

        # The engine and its storage. storage is absent when the runtime cannot see that file system.
        method GetInfo() -> (
          # `docker`, `podman` and so on.
          engine: string,
          engineVersion: string,
          storage: ?Storage
        )

        # The images that match all filters. Keys: `reference` (REPOSITORY or REPOSITORY:TAG, `*` matches
        # any run of characters), `label` (KEY or KEY=VALUE), `dangling` (true or false), `id`. Of several
        # values one must match, of labels all.
        method ListImages(filters: ?[string][]string) -> (images: []Image)

        # Loads an image from a stream.
        #
        # archive is the index of a descriptor, a pipe's read end or a file, that holds one
        # docker-archive with one image and `image` as its only tag (any, when absent), verified by the
        # caller. The end of the stream ends the archive; one that ends early is not loaded.
        # fetched says that it can be fetched again from where it comes, so that cleaning may take it.
        # With `more`, replies that hold only `received`, the bytes read so far, come before the last.
        # [Supports 'more' flag]
        method LoadImage(archive: int, image: ?ImageName, fetched: ?bool) -> (
          loaded: ?[]ImageName,
          received: ?int
        )

        # Hands over the signatures that came with an image. image is its id, and the image has to be there.
        # manifest and index, in base64, are what was signed: the manifest that names the image's
        # configuration, and where there was one the index that lists the manifest. Nothing is believed
        # before StartContainer and UpdateContainer verify it with the policy's keys.
        # With name, where the policy wants a signature for an image of that name and has none that is good,
        # the call fails with PermissionDenied, and the image loses the name.
        method AttachSignatures(
          image: string,
          name: ?ImageName,
          manifest: ?string,
          index: ?string,
          signatures: []Signature
        ) -> ()

        # Gives an image another name; one that had that name before loses it.
        method TagImage(image: ImageName, as: ImageName) -> ()

        # Removes a name, and the image with its last name. force removes it although a stopped
        # container uses it; one that a running container uses is never removed.
        method RemoveImage(image: ImageName, force: ?bool) -> ()

        # The running containers, with `all` those that do not run as well; the newest first, at most
        # `limit` where that is positive. Of the filters all must match. Keys: `name`, `id` (or its
        # beginning), `label` (KEY or KEY=VALUE), `status` (a state), `image` (REPOSITORY or
        # REPOSITORY:TAG). Of several values one must match, of labels all.
        method ListContainers(
          all: ?bool,
          limit: ?int,
          filters: ?[string][]string
        ) -> (containers: []Container)

        # Creates a container and starts it, or starts a stopped one that is given by its name alone.
        # When it cannot be started, none is left behind.
        method StartContainer(spec: ContainerSpec) -> (name: string)

        # Stops a container: asks it to end and kills it when it has not after a while; with force kills
        # it at once. With restart it is started again. Stopping a stopped one succeeds.
        method StopContainer(name: string, force: ?bool, restart: ?bool) -> ()

        # Removes a container, with force a running one too.
        method RemoveContainer(name: string, force: ?bool) -> ()

        # Replaces a container by one of another image, in one transaction: whatever happens, the device
        # losing power included, either the old one or the new one is what remains, under the same name and
        # with the same volumes. Of `settings` what is empty stays as it is; its image and name are ignored,
        # and its location cannot change. A stopped container is updated and started. The new one has to
        # prove itself: by its image's health check, or by running for a while.
        # With detach the reply comes once the request was found to be sound; the outcome is in the labels
        # `org.containerz.update.state` (running, done, failed) and `org.containerz.update.error`.
        method UpdateContainer(
          name: string,
          image: ImageName,
          settings: ?ContainerSpec,
          detach: ?bool
        ) -> ()

        # Every byte the container wrote, standard output and standard error in the engine's order.
        # With follow it goes on until the container is done for good or the call is cancelled.
        #
        # output is the index of a descriptor, a pipe's write end or a socket: the bytes go there as
        # they are, it is closed, and the one reply is empty. Without it, the call needs `more`, and
        # each reply holds a chunk in base64, cut anywhere; the last one is empty.
        # [Supports 'more' flag]
        method StreamLogs(name: string, follow: ?bool, output: ?int) -> (data: ?string)

        # The volumes that match all filters, by name. Keys: `name`, `driver`, `label` (KEY or KEY=VALUE). Of
        # several values one must match, of labels all; `*` stands for any run of characters in a name.
        method ListVolumes(filters: ?[string][]string) -> (volumes: []Volume)

        # Creates a volume. A directory of the device that is to be bound has to exist.
        method CreateVolume(spec: VolumeSpec) -> (name: string)

        # Removes a volume and what is in it; never one that a container uses, running or not. force removes
        # it although its driver does not answer, where the engine can do that.
        method RemoveVolume(name: string, force: ?bool) -> ()

        # The plugins, or the one of that name, with or without the tag `latest`.
        method ListPlugins(name: ?string) -> (plugins: []Plugin)

        # Makes a plugin and starts it, with every privilege that its config.json asks for.
        #
        # archive is the index of a descriptor, a pipe's read end or a file, that holds a tar archive of
        # config.json and rootfs/. Without it a plugin that was stopped is started again.
        # When it cannot be started, none is left behind.
        method StartPlugin(name: string, archive: ?int) -> (name: string)

        # Stops a plugin that no volume needs. Stopping a stopped one succeeds.
        method StopPlugin(name: string) -> ()

        # Removes a plugin that was stopped.
        method RemovePlugin(name: string) -> ()

        # Every container, image and volume, with what there is to know before any is cleaned away.
        method SurveyUse() -> (
          containers: []ContainerUse,
          images: []ImageUse,
          volumes: []VolumeUse,
          storage: ?Storage
        )

        # Removes a container that does not run and that nobody has touched since SurveyUse told of it;
        # volumes stay. Otherwise it fails with StillNeeded: no start or update can come in between.
        # removed is false when it was gone already.
        method RemoveUnusedContainer(id: string, finished: ?int) -> (removed: bool)

        # Removes an image with all its names, likewise: names and lastUsed have to be what they were, no
        # container may be made of it, and no load, start or update under way may need it.
        method RemoveUnusedImage(id: string, names: []ImageName, lastUsed: int) -> (removed: bool)

        # Removes a volume that nobody named and labelled and that no container mounts, likewise.
        method RemoveUnusedVolume(name: string) -> (removed: bool)

        # There is no such image on the device.
        error ImageNotFound (image: ImageName)

        # A container uses it.
        error ImageInUse (image: ImageName, container: string)

        # There is no such container.
        error ContainerNotFound (name: string)

        # It runs, and force was not set.
        error ContainerRunning (name: string)

        # The name is taken.
        error ContainerExists (name: string)

        # Something else on the device has the external port.
        error PortInUse (port: int)

        error NetworkNotFound (network: string)

        error VolumeNotFound (volume: string)

        # The name is taken.
        error VolumeExists (volume: string)

        # A container uses it.
        error VolumeInUse (volume: string, container: string)

        # The engine has no such volume driver.
        error DriverNotFound (driver: string)

        # There is no such plugin.
        error PluginNotFound (plugin: string)

        # The name is taken.
        error PluginExists (plugin: string)

        # It runs, or something needs it.
        error PluginInUse (plugin: string, reason: string)

        # It was made but would not start; it is gone again.
        error PluginFailed (plugin: string, reason: string)

        # Nothing that this engine can do.
        error NotSupported (reason: string)

        # There is no such file or directory on the device.
        error PathNotFound (path: string)

        # A parameter that cannot be right, whatever the state of the device.
        error InvalidArgument (field: string, reason: string)

        # The device's policy forbids it; rule names the part of the policy that does.
        error PermissionDenied (rule: string, reason: string)

        # A restart policy that the engine does not take.
        error RestartPolicyRejected (reason: string)

        # A user or group that the image or the engine does not take.
        error UserRejected (user: string, reason: string)

        # The container was created but would not start; it is gone again.
        error StartFailed (name: string, reason: string)

        # It is being updated; try again later.
        error UpdateInProgress (name: string)

        # The new version did not prove itself; the old one is back as it was, or will be as soon as the
        # engine answers.
        error UpdateFailed (name: string, reason: string)

        # It still runs.
        error StopFailed (name: string, reason: string)

        # The engine did not take the image; nothing of it is left.
        error LoadFailed (reason: string)

        # Not enough room where the engine keeps its images.
        error InsufficientStorage (reason: string)

        # What was to be cleaned away is in use, or is not what it was when it was looked at.
        error StillNeeded (object: string, reason: string)

        # Nobody answers on the engine's socket. It may be back soon.
        error EngineUnavailable (reason: string)

        # The engine failed in a way that none of the others describes.
        error EngineFailed (reason: string)

        """#
}
