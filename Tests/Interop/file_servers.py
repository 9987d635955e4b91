"""nginx and OpenSSH's sshd on loopback, started and ended by the tests."""

import crypt
import os
import pathlib
import pwd
import socket
import subprocess

from harness import free_port, wait_until


def listens(process, port, log):
    def answers():
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(answers, "the server to listen")


class Nginx:
    """Serves a folder, or passes requests on, with TLS when it has a certificate."""

    def __init__(self, folder, root=None, tls=None, upstream=None, location=""):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"localhost:{self.port}"
        self.access_log = folder / "access.log"
        listen = f"127.0.0.1:{self.port}" + (" ssl http2" if tls else "")
        secured = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
        content = (f"proxy_pass http://127.0.0.1:{upstream}; proxy_set_header Host $http_host;"
                   if upstream else f"root {root};")
        (folder / "nginx.conf").write_text(f"""
            daemon off; pid {folder}/pid; error_log {folder}/error.log; user root;
            events {{}}
            http {{
                log_format lines '$server_protocol $status $request_uri $http_range';
                access_log {self.access_log} lines;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                server {{
                    listen {listen}; {secured}
                    location / {{ {content} {location} }}
                }}
            }}""")

    def __enter__(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listens(self.process, self.port, self.folder / "error.log")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def lines(self):
        return self.access_log.read_text().splitlines()


class SSHServer:
    """sshd that lets this user in with a key, and a user that only it knows with a password."""

    robot, password = "robot", "r0b0t's s3cret"

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.key = self.make_key("client")
        self.host_key = self.make_key("host")
        public = pathlib.Path(f"{self.host_key}.pub").read_text()
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[localhost]:{self.port} {public}")
        authorised = folder / "authorized_keys"
        authorised.write_text(pathlib.Path(f"{self.key}.pub").read_text())
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.host_key}\n"
            f"AuthorizedKeysFile {authorised}\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PermitRootLogin yes\nPasswordAuthentication yes\nSubsystem sftp internal-sftp\n")
        for name, line in (
                ("passwd", f"{self.robot}:x:4242:4242::/:/bin/sh\n"),
                ("shadow", f"{self.robot}:{crypt.crypt(self.password)}:19000:0:99999:7:::\n")):
            path = folder / name
            path.touch(mode=0o600 if name == "shadow" else 0o644)
            path.write_text(pathlib.Path(f"/etc/{name}").read_text() + line)

    def make_key(self, name):
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def __enter__(self):
        # Where sshd's unprivileged half lives; /run is the test run's own.
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c",
                 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow && '
                 'exec /usr/sbin/sshd -D -e -f "$0/sshd_config"', self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        listens(self.process, self.port, self.log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def url(self, scheme, path):
        return f"{scheme}://localhost:{self.port}{path}"
