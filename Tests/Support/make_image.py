#!/usr/bin/python3
"""Makes a container image from busybox-static, without a network.

    make_image.py -o FILE|- [--tag NAME:TAG]... [--format docker|oci] [--gzip]
                  [--mib N] [--text STRING] [--seed N] [-- COMMAND...]

The image has busybox with its applets under /bin, a page under /www, and

    /bin/serve [PORT]      serves /www until it is told to stop (the default command, port 8080)
    /bin/chatter N [SIZE]  writes N numbered lines of SIZE bytes and ends
    /bin/idle              waits until it is told to stop

--mib adds a layer of so many MiB that cannot be compressed; --seed makes it a different one.
The same arguments make the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import platform
import random
import subprocess
import sys
import tarfile
import tempfile

BUSYBOX = "/bin/busybox"
MIB = 1 << 20

SCRIPTS = {
    # A process that is number 1 ignores the signals that it does not handle.
    "serve": """#!/bin/sh
trap 'echo stopping; exit 0' TERM INT
httpd -f -v -p "${1:-8080}" -h /www &
echo "serving on ${1:-8080}"
wait
""",
    "chatter": """#!/bin/sh
yes "$(printf "%${2:-40}s" | tr ' ' x)" | head -n "$1" | awk '{ print NR, $0 }'
""",
    "idle": """#!/bin/sh
trap 'echo stopping; exit 0' TERM INT
echo idle
while :; do sleep 3600 & wait $!; done
""",
}

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def add(tar, name, data, mode=0o644):
    """Puts a file into a tar; its data is bytes, or a file and its size."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    if isinstance(data, bytes):
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    else:
        stream, info.size = data
        tar.addfile(info, stream)


class RandomBytes(io.RawIOBase):
    """A reader that never ends, of bytes that follow from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.rest = b""

    def readable(self):
        return True

    def read(self, size=-1):
        while len(self.rest) < size:
            self.rest += self.random.randbytes(MIB)
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def base_layer(text="hello from a container\n", extra=None):
    """The bytes of the layer with busybox, the scripts and the page.

    extra has further files: their data and modes by their names."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for folder in ("bin", "www", "tmp", "data", "etc"):
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            info.mode = 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        with open(BUSYBOX, "rb") as busybox:
            add(tar, "bin/busybox", busybox.read(), 0o755)
        applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
        for applet in sorted(set(applets.stdout.split()) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
        for name, script in SCRIPTS.items():
            add(tar, f"bin/{name}", script.encode(), 0o755)
        add(tar, "www/index.html", text.encode())
        add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n")
        add(tar, "etc/group", b"root:x:0:\nguest:x:1000:\n")
        for name, (data, mode) in (extra or {}).items():
            add(tar, name, data, mode)
    return output.getvalue()


def filler_layer(size, seed):
    """A file with a layer that holds `size` bytes which cannot be compressed."""
    output = tempfile.TemporaryFile(dir="/var/tmp")
    with tarfile.open(fileobj=output, mode="w") as tar:
        add(tar, "filler", (RandomBytes(seed), size))
    return output


def as_file(layer):
    """A layer, bytes or a file, as a file and its size."""
    stream = io.BytesIO(layer) if isinstance(layer, bytes) else layer
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return stream, size


def sha256(layer):
    stream, _ = as_file(layer)
    digest = hashlib.sha256()
    while chunk := stream.read(MIB):
        digest.update(chunk)
    return digest.hexdigest()


def configuration(layers, command=("/bin/serve",), **settings):
    """The bytes of the image's configuration; settings go into its "config"."""
    return json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"], "WorkingDir": "/"} | settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(l)}" for l in layers]},
        "history": [{"created": "2024-01-01T00:00:00Z"} for _ in layers],
    }).encode()


def write_docker_archive(output, images):
    """Writes what `docker save` writes: images is a list of (configuration, layers, tags)."""
    manifest = []
    written = set()
    with tarfile.open(fileobj=output, mode="w|") as tar:
        for config, layers, tags in images:
            names = []
            for layer in layers:
                names.append(f"{sha256(layer)}.tar")
                if names[-1] not in written:
                    add(tar, names[-1], as_file(layer))
                    written.add(names[-1])
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            if name not in written:
                add(tar, name, config)
                written.add(name)
            manifest.append({"Config": name, "RepoTags": list(tags), "Layers": names})
        add(tar, "manifest.json", json.dumps(manifest).encode())


def write_oci_archive(output, images):
    """Writes an OCI image layout as a tar: images as for write_docker_archive()."""
    with tarfile.open(fileobj=output, mode="w|") as tar:
        written = set()

        def blob(data, media_type):
            stream, size = as_file(data)
            digest = sha256(data)
            if digest not in written:
                stream.seek(0)
                add(tar, f"blobs/sha256/{digest}", (stream, size))
                written.add(digest)
            return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}

        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        index = []
        for config, layers, tags in images:
            prefix = "application/vnd.oci.image"
            manifest = json.dumps({
                "schemaVersion": 2,
                "mediaType": f"{prefix}.manifest.v1+json",
                "config": blob(config, f"{prefix}.config.v1+json"),
                "layers": [blob(layer, f"{prefix}.layer.v1.tar") for layer in layers],
            }).encode()
            for tag in tags or [None]:
                entry = blob(manifest, f"{prefix}.manifest.v1+json")
                if tag is not None:
                    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
                index.append(entry)
        add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode())


WRITERS = {"docker": write_docker_archive, "oci": write_oci_archive}


def make_image(output, tags=(), format="docker", mib=0, text="hello from a container\n", seed=1,
               command=("/bin/serve",), extra=None, **settings):
    """Writes a tarball of one image to a file object."""
    layers = [base_layer(text, extra)]
    if mib:
        layers.append(filler_layer(mib * MIB, seed))
    WRITERS[format](output, [(configuration(layers, command, **settings), layers, tags)])


def image_bytes(*arguments, **keywords):
    """A tarball of one image, as bytes; the arguments of make_image()."""
    output = io.BytesIO()
    make_image(output, *arguments, **keywords)
    return output.getvalue()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True, metavar="FILE")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME:TAG")
    parser.add_argument("--format", choices=sorted(WRITERS), default="docker")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--mib", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", default="hello from a container\n")
    parser.add_argument("command", nargs="*", default=["/bin/serve"])
    options = parser.parse_args()
    output = sys.stdout.buffer if options.output == "-" else open(options.output, "wb")
    with output:
        target = gzip.GzipFile(fileobj=output, mode="wb", mtime=0) if options.gzip else output
        make_image(target, options.tag, options.format, options.mib, options.text, options.seed,
                   options.command or ["/bin/serve"])
        if options.gzip:
            target.close()


if __name__ == "__main__":
    main()
