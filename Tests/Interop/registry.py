"""Debian's docker-registry on loopback, and a front of the tests' own that makes trouble."""

import base64
import contextlib
import crypt
import http.client
import http.server
import json
import re
import subprocess
import threading

from harness import free_port, wait_until


class Registry:
    """The real one: plain, or with TLS, or with a user and a password."""

    def __init__(self, folder, tls=None, user=None, password=None, port=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.folder, self.tls = port or free_port(), folder, tls
        self.address = f"localhost:{self.port}"
        configuration = {
            "version": 0.1, "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "storage")},
                        "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}"}}
        if tls:
            configuration["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        if user:
            (folder / "htpasswd").write_text(
                f"{user}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n")
            configuration["auth"] = {
                "htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
        # JSON is YAML.
        (folder / "config.yml").write_text(json.dumps(configuration))

    def __enter__(self):
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["docker-registry", "serve", self.folder / "config.yml"], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)

        def listens():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.connect()
                return True
            except OSError:
                return False
        wait_until(listens, "the registry")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def push(self, archive, name, *options, credentials=None):
        """Puts an image there with skopeo; archive is a transport and a path."""
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", *options,
             *(["--dest-creds", credentials] if credentials else []), archive,
             f"docker://{self.address}/{name}"], check=True, capture_output=True)


class Front(http.server.ThreadingHTTPServer):
    """Passes requests on to a registry; what it does besides is up to `trouble`.

    trouble is called with the handler and the number of the request for its path, and returns
    whether it has answered by itself.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, registry, trouble=lambda handler, count: False, post=None,
                 head=None, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.registry, self.trouble, self.post, self.head = registry, trouble, post, head
        self.port = self.server_address[1]
        self.address = f"localhost:{self.port}"
        self.requests, self.heads = [], []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that goes away is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, dict(self.headers)))
        count = sum(path == self.path for path, _ in server.requests)
        if server.trouble(self, count):
            return
        with self.upstream() as answer:
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("date", "server", "connection"):
                    self.send_header(key, value)
            self.end_headers()
            while data := answer.read(65536):
                self.wfile.write(data)

    def do_HEAD(self):
        """Passed on, unless the server's `head` answers; they are counted apart."""
        server = self.server
        server.heads.append((self.path, dict(self.headers)))
        if server.head and server.head(self):
            return
        with self.upstream() as answer:
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("date", "server", "connection"):
                    self.send_header(key, value)
            self.end_headers()

    def do_POST(self):
        if self.server.post:
            self.server.post(self)
        else:
            self.answer(405)

    @contextlib.contextmanager
    def upstream(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.registry.port)
        headers = {key: value for key, value in self.headers.items()
                   if key.lower() not in ("host", "authorization")}
        connection.request(self.command, self.path, headers=headers)
        try:
            yield connection.getresponse()
        finally:
            connection.close()

    def whole(self):
        """What the registry would answer: headers and body."""
        with self.upstream() as answer:
            return answer, answer.read()

    def answer(self, status, headers=(), body=b"", length=None):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def cut(self):
        """Breaks the connection off."""
        self.wfile.flush()
        self.connection.shutdown(2)
        self.close_connection = True
        return True

    @property
    def is_blob(self):
        return re.search("/blobs/sha256:", self.path)


def token_server(user, password, token="let-me-in"):
    """Trouble that wants a bearer token, and gives one to the user."""
    def trouble(handler, count):
        if handler.path.startswith("/token?"):
            expected = base64.b64encode(f"{user}:{password}".encode()).decode()
            if handler.headers.get("Authorization") != f"Basic {expected}":
                return handler.answer(401)
            return handler.answer(200, {"Content-Type": "application/json"},
                                  json.dumps({"token": token}).encode())
        if handler.headers.get("Authorization") != f"Bearer {token}":
            realm = f"http://{handler.headers['Host']}/token"
            return handler.answer(401, {"WWW-Authenticate": (
                f'Bearer realm="{realm}",service="test",scope="repository:x:pull"')})
        return False
    return trouble
