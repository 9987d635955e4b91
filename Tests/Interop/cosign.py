"""Keys and signatures as cosign makes them, by the openssl command, and the layouts they come in."""

import base64
import hashlib
import io
import json
import tarfile

import make_image
from pki import openssl

SIGNATURE = "dev.cosignproject.cosign/signature"
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Key:
    def __init__(self, folder, name, *algorithm):
        algorithm = algorithm or ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pub"
        openssl("genpkey", "-algorithm", *algorithm, "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, payload):
        return openssl("dgst", "-sha256", "-sign", self.private, data=payload)


def payload_for(signed, type="cosign container image signature"):
    """What cosign signs, for the digest of a manifest or an index."""
    return json.dumps({
        "critical": {"identity": {"docker-reference": "registry.example/apps/web"},
                     "image": {"docker-manifest-digest": signed}, "type": type},
        "optional": None}).encode()


class Layout:
    """An OCI layout with an image in it, and whatever is added."""

    def __init__(self, text, **settings):
        self.blobs, self.entries = {}, []
        layer = make_image.base_layer(text)
        self.config = make_image.configuration([layer], **settings)
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": self.blob(self.config, CONFIG_TYPE),
            "layers": [self.blob(layer, "application/vnd.oci.image.layer.v1.tar")]}).encode()
        self.index = None

    @property
    def image(self):
        return digest(self.config)

    def blob(self, data, media_type, **fields):
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)} | fields

    def add_image(self, in_index=False):
        """As `cosign save` lists it."""
        entry = self.blob(self.manifest, MANIFEST_TYPE)
        kind = "image"
        if in_index:
            platform = {"os": "linux", "architecture": json.loads(self.config)["architecture"]}
            self.index = json.dumps({
                "schemaVersion": 2, "mediaType": INDEX_TYPE,
                "manifests": [entry | {"platform": platform}]}).encode()
            entry, kind = self.blob(self.index, INDEX_TYPE), "imageIndex"
        self.entries.append(
            entry | {"annotations": {"kind": f"dev.cosignproject.cosign/{kind}"}})
        return self

    def sign(self, *keys, payload=None, style="save"):
        """Adds a manifest of signatures, one by each key."""
        payload = payload or payload_for(digest(self.index or self.manifest))
        manifest = {
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": self.blob(b'{"rootfs": {}}', CONFIG_TYPE),
            "layers": [self.blob(payload, PAYLOAD_TYPE, annotations={
                SIGNATURE: base64.b64encode(key.sign(payload)).decode()}) for key in keys]}
        signed = digest(self.index or self.manifest).replace(":", "-")
        annotations = {
            "save": {"kind": "dev.cosignproject.cosign/sigs"},
            "tag": {"org.opencontainers.image.ref.name": f"{signed}.sig"},
            "referrer": {}, "bare": {}}[style]
        if style == "referrer":
            manifest["artifactType"] = "application/vnd.dev.cosign.artifact.sig.v1+json"
            manifest["subject"] = {
                "mediaType": MANIFEST_TYPE, "digest": digest(self.manifest),
                "size": len(self.manifest)}
        self.entries.append(
            self.blob(json.dumps(manifest).encode(), MANIFEST_TYPE, annotations=annotations))
        return self

    def sign_alone(self, key, payload):
        """Nothing but a manifest of one signature, as it lies in a registry."""
        config = self.blob(b'{"rootfs": {"type": "layers", "diff_ids": []}}', CONFIG_TYPE)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config,
            "layers": [self.blob(payload, PAYLOAD_TYPE, annotations={
                SIGNATURE: base64.b64encode(key.sign(payload)).decode()})]}).encode()
        self.entries.append(self.blob(manifest, MANIFEST_TYPE))

    def archive(self):
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w") as tar:
            make_image.add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            for name, data in self.blobs.items():
                make_image.add(tar, f"blobs/{name.replace(':', '/')}", data)
            make_image.add(tar, "index.json", json.dumps(
                {"schemaVersion": 2, "manifests": self.entries}).encode())
        return output.getvalue()
