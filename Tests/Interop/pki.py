"""Certificates for tests, made by openssl."""

import subprocess

DAY = 24 * 3600


class Authority:
    """A certificate authority in a folder; it signs what tests need."""

    def __init__(self, folder, name):
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.certificate, "-days", "30",
                "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, alternative_names, purpose, not_before=None, not_after=None):
        """Makes a key and a certificate; the dates are YYYYMMDDHHMMSSZ. Returns their paths."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extensions = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(
            "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
            f"extendedKeyUsage={purpose}\nsubjectAltName={alternative_names}\n")
        # `openssl ca` rather than `x509 -req`: it takes dates in the past.
        database = self.folder / f"{name}.index"
        database.write_text("")
        configuration = self.folder / f"{name}.cnf"
        configuration.write_text(
            "[ca]\ndefault_ca=it\n[it]\n"
            f"database={database}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        dates = ["-startdate", not_before, "-enddate", not_after] if not_before else ["-days", "7"]
        openssl("ca", "-batch", "-notext", "-config", configuration, "-in", request,
                "-out", certificate, "-cert", self.certificate, "-keyfile", self.key,
                "-extfile", extensions, *dates)
        return certificate, key


    def revoke(self, certificate, *options, into=None):
        """A list with one revoked certificate; its path."""
        database = self.folder / "revoked.index"
        database.write_text("")
        (self.folder / "revoked.number").write_text("01\n")
        configuration = self.folder / "revoked.cnf"
        configuration.write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={database}\ndefault_md=sha256\n"
            f"crlnumber={self.folder}/revoked.number\ndefault_crl_days=30\n")
        signer = ["-config", configuration, "-cert", self.certificate, "-keyfile", self.key]
        openssl("ca", *signer, "-revoke", certificate)
        revocations = into or self.folder / "revocations.pem"
        openssl("ca", *signer, "-gencrl", *options, "-out", revocations)
        return revocations


def openssl(*arguments, data=None):
    """What it writes, given data to read."""
    return subprocess.run(["openssl", *map(str, arguments)], input=data, check=True,
                          capture_output=True).stdout


class Certificates:
    """All certificates of the tests, in a folder."""

    def __init__(self, folder):
        self.authority = Authority(folder, "lab-ca")
        self.other_authority = Authority(folder, "other-ca")
        names = "DNS:localhost,IP:127.0.0.1,IP:::1"
        client = "URI:spiffe://lab.example/containerz/write"
        reader = "URI:spiffe://lab.example/containerz/read"
        past = ("20200101000000Z", "20200201000000Z")
        self.server = self.authority.issue("server", names, "serverAuth")
        self.client = self.authority.issue("client", client, "clientAuth")
        self.reader = self.authority.issue("reader", reader, "clientAuth")
        self.nobody = self.authority.issue(
            "nobody", "URI:spiffe://lab.example/somebody", "clientAuth")
        self.denied = self.authority.issue(
            "denied", "URI:spiffe://lab.example/suspended/containerz/write", "clientAuth")
        self.revoked_client = self.authority.issue("revoked-client", client, "clientAuth")
        self.revocations = self.authority.revoke(self.revoked_client[0])
        self.expired_server = self.authority.issue("expired-server", names, "serverAuth", *past)
        self.expired_client = self.authority.issue("expired-client", client, "clientAuth", *past)
        self.foreign_client = self.other_authority.issue("foreign-client", client, "clientAuth")
        self.elsewhere = self.authority.issue("elsewhere", "DNS:elsewhere.example", "serverAuth")
