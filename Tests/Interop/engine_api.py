"""The engine's own API, for what is done behind containerz's back."""

import http.client
import json
import socket
import urllib.parse

VERSION = "/v1.41"


def request(path_of_socket, method, path, body=None):
    """The answer's JSON, or None; fails unless it is a success."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(str(path_of_socket))
        connection = http.client.HTTPConnection("engine")
        connection.sock = peer
        connection.request(method, f"{VERSION}{path}", body and json.dumps(body),
                           {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        text = response.read()
        assert response.status < 300 or response.status == 304, (response.status, text)
        return json.loads(text) if text else None


class Engine:
    def __init__(self, path_of_socket):
        self.socket = path_of_socket

    def image_id(self, name):
        """Of NAME:TAG as containerz calls it."""
        for image in request(self.socket, "GET", "/images/json"):
            for tag in image["RepoTags"] or []:
                if tag.removeprefix("localhost/").removeprefix("docker.io/library/") == name:
                    return image["Id"].removeprefix("sha256:")
        raise KeyError(name)

    def run(self, image, name, labels=None, **host_config):
        created = request(self.socket, "POST", f"/containers/create?name={name}", {
            "Image": self.image_id(image), "Cmd": ["/bin/idle"], "HostConfig": host_config,
            "Labels": labels or {}})
        request(self.socket, "POST", f"/containers/{created['Id']}/start")

    def remove(self, name):
        request(self.socket, "DELETE", f"/containers/{name}?force=1")

    def inspect(self, name):
        return request(self.socket, "GET", f"/containers/{name}/json")

    def pid(self, name):
        """The container's first process; 0 when it does not run."""
        return self.inspect(name)["State"]["Pid"]

    def restart(self, name):
        """As the engine restarts a container by itself, without asking anybody."""
        request(self.socket, "POST", f"/containers/{name}/restart?t=0")

    def load(self, archive):
        """Past containerz."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(60)
            peer.connect(str(self.socket))
            connection = http.client.HTTPConnection("engine")
            connection.sock = peer
            connection.request("POST", f"{VERSION}/images/load", archive,
                               {"Content-Type": "application/x-tar"})
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200 and b"Loaded image" in text, text

    def create_volume(self, name, **options):
        request(self.socket, "POST", "/volumes/create", {"Name": name, "DriverOpts": options})

    def remove_volume(self, name):
        request(self.socket, "DELETE", f"/volumes/{name}")

    def volume_labels(self, name):
        return request(self.socket, "GET", f"/volumes/{urllib.parse.quote(name)}")["Labels"]
