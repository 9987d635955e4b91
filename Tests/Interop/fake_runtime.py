"""org.containerz.Runtime without an engine: devices that do as a test says, however many."""

import array
import json
import os
import socket
import threading

from harness import named

INTERFACE = "org.containerz.Runtime"
GIB = 1 << 30


class Failure(Exception):
    """An error of the interface."""

    def __init__(self, error, /, **parameters):
        super().__init__(error)
        self.answer = {"error": f"{INTERFACE}.{error}", "parameters": parameters}


class FakeRuntime:
    """Serves a socket. `before` is called with each method's name and parameters; what it raises
    is the answer, and while it does not return there is none. Every method is noted in `calls`."""

    def __init__(self, path, before=lambda method, parameters: None, free=64 * GIB):
        self.before = before
        self.free = free
        self.calls = []
        self.images = set()
        # Images by the names of their containers.
        self.containers = {}
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1024)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[peer], daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def serve(self, peer):
        received, descriptors = b"", []
        with peer:
            while True:
                while b"\0" not in received:
                    try:
                        data, ancillary, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(64))
                    except OSError:
                        return
                    for _, _, numbers in ancillary:
                        passed = array.array("i")
                        passed.frombytes(numbers[:len(numbers) // passed.itemsize * passed.itemsize])
                        descriptors += passed
                    if not data:
                        return
                    received += data
                text, _, received = received.partition(b"\0")
                answer = self.answer(json.loads(text), descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                descriptors = []
                try:
                    peer.sendall(json.dumps(answer).encode() + b"\0")
                except OSError:
                    return

    def answer(self, call, descriptors):
        method = call["method"].rpartition(".")[2]
        parameters = call.get("parameters") or {}
        self.calls.append(method)
        try:
            self.before(method, parameters)
            return {"parameters": getattr(self, method)(descriptors=descriptors, **parameters)}
        except Failure as failure:
            return failure.answer

    def GetInfo(self, **_):
        return {"engine": "docker", "engineVersion": "1",
                "storage": {"free": self.free, "total": self.free}}

    def LoadImage(self, archive, image=None, descriptors=(), **_):
        buffer = bytearray(1 << 20)
        while os.readv(descriptors[archive], [buffer]):
            pass
        self.images.add(text(image))
        return {"loaded": [image]}

    def AttachSignatures(self, **_):
        return {}

    def ListImages(self, **_):
        return {"images": [
            {"id": "sha256:" + "0" * 64, "names": [named(image)], "size": 1, "created": 1,
             "digests": []} for image in sorted(self.images)]}

    def ListContainers(self, filters=None, **_):
        names = (filters or {}).get("name")
        return {"containers": [
            {"id": "1" * 64, "name": name, "image": named(image), "imageID": "sha256:" + "0" * 64,
             "state": "running", "labels": {}, "created": 1}
            for name, image in sorted(self.containers.items()) if not names or name in names]}

    def StartContainer(self, spec, **_):
        if spec["name"] in self.containers:
            raise Failure("ContainerExists", name=spec["name"])
        self.containers[spec["name"]] = text(spec["image"])
        return {"name": spec["name"]}

    def UpdateContainer(self, name, image, **_):
        if name not in self.containers:
            raise Failure("ContainerNotFound", name=name)
        self.containers[name] = text(image)
        return {}

    def GetGrant(self, **_):
        return {}


def text(image):
    return f"{image['repository']}:{image['tag']}"
