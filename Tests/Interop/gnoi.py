"""The Containerz service as Python's gRPC sees it, with stubs made from the project's protos."""

import importlib
import os
import pathlib
import queue
import sys
import tempfile

import grpc
from grpc_tools import protoc

PROTOS = pathlib.Path(os.environ.get(
    "CONTAINERZ_PROTOS", pathlib.Path(__file__).parents[2] / "Sources/GNOI/protos"))

_stubs = tempfile.TemporaryDirectory(prefix="cz-stubs.")


def _generate():
    files = [str(path.relative_to(PROTOS)) for path in sorted(PROTOS.rglob("*.proto"))]
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    code = protoc.main([
        "protoc", f"--proto_path={PROTOS}", f"--proto_path={well_known}",
        f"--python_out={_stubs.name}", f"--grpc_python_out={_stubs.name}", *files])
    assert code == 0, "protoc failed"
    sys.path.insert(0, _stubs.name)


_generate()
messages = importlib.import_module("github.com.openconfig.gnoi.containerz.containerz_pb2")
services = importlib.import_module("github.com.openconfig.gnoi.containerz.containerz_pb2_grpc")
types = importlib.import_module("github.com.openconfig.gnoi.types.types_pb2")

Code = grpc.StatusCode
StartRequest = messages.StartContainerRequest
SERVICE = "/gnoi.containerz.Containerz"

# No test needs longer; a call that hangs fails instead.
DEADLINE = 60


def secure_channel(port, authority, identity, options=()):
    """A channel that trusts an authority, and shows a (certificate, key) or None."""
    certificate, key = identity or (None, None)
    return grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(), key and key.read_bytes(),
        certificate and certificate.read_bytes()), options)


class Device:
    """A device under test, as a client off the box sees it."""

    def __init__(self, channel):
        self.channel = channel
        self.stub = services.ContainerzStub(channel)

    def images(self):
        """The names of all images: NAME:TAG."""
        return sorted(f"{image.image_name}:{image.tag}" for image in
                      self.stub.ListImage(messages.ListImageRequest(), timeout=DEADLINE))

    def containers(self, all=True):
        """All containers by their names."""
        request = messages.ListContainerRequest(all=all)
        return {container.name: container
                for container in self.stub.ListContainer(request, timeout=DEADLINE)}

    def state(self, name):
        container = self.containers().get(name)
        return container and messages.ListContainerResponse.Status.Name(container.status)

    def update_state(self, name):
        """Of the last update; the instance is not listed while its name changes hands."""
        listed = self.containers().get(name)
        return listed and listed.labels.get("org.containerz.update.state", "none")

    def start(self, image, name="", **fields):
        """Starts NAME:TAG; the instance's name."""
        repository, _, tag = image.rpartition(":")
        response = self.stub.StartContainer(StartRequest(
            image_name=repository, tag=tag, instance_name=name, **fields), timeout=DEADLINE)
        return response.start_ok.instance_name

    def stop(self, name, **options):
        self.stub.StopContainer(
            messages.StopContainerRequest(instance_name=name, **options), timeout=DEADLINE)

    def update(self, name, image, timeout=DEADLINE, **fields):
        """The call's answer; fields are those of params, and `async`."""
        repository, _, tag = image.rpartition(":")
        detach = fields.pop("detach", False)
        request = messages.UpdateContainerRequest(
            instance_name=name, image_name=repository, image_tag=tag, params=fields or None,
            **{"async": detach})
        return self.stub.UpdateContainer(request, timeout=timeout).update_ok

    def remove(self, name, force=True):
        self.stub.RemoveContainer(
            messages.RemoveContainerRequest(name=name, force=force), timeout=DEADLINE)

    def remove_image(self, image, force=False):
        repository, _, tag = image.rpartition(":")
        self.stub.RemoveImage(messages.RemoveImageRequest(
            name=repository, tag=tag, force=force), timeout=DEADLINE)

    def volumes(self, **filters):
        """All volumes by their names."""
        request = messages.ListVolumeRequest(
            filter=[{"key": key, "value": value} for key, value in filters.items()])
        return {volume.name: volume
                for volume in self.stub.ListVolume(request, timeout=DEADLINE)}

    def create_volume(self, name="", **fields):
        """The volume's name."""
        return self.stub.CreateVolume(
            messages.CreateVolumeRequest(name=name, **fields), timeout=DEADLINE).name

    def remove_volume(self, name, force=False):
        self.stub.RemoveVolume(
            messages.RemoveVolumeRequest(name=name, force=force), timeout=DEADLINE)

    def push_plugin(self, data, name, **options):
        return self.push(data, name, is_plugin=True, **options)

    def start_plugin(self, name, instance, config=""):
        return self.stub.StartPlugin(messages.StartPluginRequest(
            name=name, instance_name=instance, config=config), timeout=DEADLINE).instance_name

    def stop_plugin(self, instance):
        self.stub.StopPlugin(
            messages.StopPluginRequest(instance_name=instance), timeout=DEADLINE)

    def remove_plugin(self, instance):
        self.stub.RemovePlugin(
            messages.RemovePluginRequest(instance_name=instance), timeout=DEADLINE)

    def remove_plugin_tar(self, name):
        self.stub.RemovePluginTar(
            messages.RemovePluginTarRequest(name=name), timeout=DEADLINE)

    def plugins(self, instance=""):
        """Plugins by the names they list as."""
        response = self.stub.ListPlugins(
            messages.ListPluginsRequest(instance_name=instance), timeout=DEADLINE)
        return {plugin.instance_name: plugin for plugin in response.plugins}

    def log(self, name, follow=False, timeout=DEADLINE):
        """The call, whose messages are to be iterated over."""
        return self.stub.Log(
            messages.LogRequest(instance_name=name, follow=follow), timeout=timeout)

    def log_text(self, name):
        return "".join(message.msg for message in self.log(name))

    def deploy(self, timeout=DEADLINE, **options):
        return Deploy(self.stub, timeout, **options)

    def push(self, data, name="", tag="", lockstep=False, size=None, chunk_size=None, **fields):
        """Pushes a tarball in one go; returns the success message."""
        with self.deploy() as deploy:
            deploy.transfer(name, tag, len(data) if size is None else size, **fields)
            wanted = deploy.ready()
            chunk_size = chunk_size or wanted
            count = 0
            for start in range(0, len(data), chunk_size):
                deploy.content(data[start:start + chunk_size])
                count += 1
                if lockstep:
                    deploy.progress()
            deploy.end()
            if not lockstep:
                for _ in range(count):
                    deploy.progress()
            return deploy.success()


class Deploy:
    """One Deploy stream, message by message."""

    def __init__(self, stub, timeout, **options):
        self.requests = queue.Queue()
        self.call = stub.Deploy(iter(self.requests.get, None), timeout=timeout, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.requests.put(None)
        self.call.cancel()

    def transfer(self, name, tag, size, **fields):
        self.send(image_transfer=messages.ImageTransfer(
            name=name, tag=tag, image_size=size, **fields))

    def content(self, data):
        self.send(content=data)

    def end(self):
        self.send(image_transfer_end=messages.ImageTransferEnd())

    def send(self, **request):
        self.requests.put(messages.DeployRequest(**request))

    def close(self):
        """Says that no more requests follow."""
        self.requests.put(None)

    def receive(self, kind):
        response = next(self.call)
        assert response.WhichOneof("response") == kind, response
        return getattr(response, kind)

    def ready(self):
        """The chunk size that the device asks for."""
        return self.receive("image_transfer_ready").chunk_size

    def progress(self):
        """How many bytes the device has received."""
        return self.receive("image_transfer_progress").bytes_received

    def success(self):
        success = self.receive("image_transfer_success")
        assert list(self.call) == []
        assert self.call.code() is Code.OK
        return success

    def status(self):
        """Reads to the end of the stream, which ought to be an error; its status code."""
        try:
            for _ in self.call:
                pass
        except grpc.RpcError as error:
            return error.code()
        return self.call.code()


def status_of(action, *arguments, **keywords):
    """Calls something that ought to fail; its status code and text."""
    try:
        result = action(*arguments, **keywords)
        if hasattr(result, "__next__"):
            list(result)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return Code.OK, ""


def code_of(action, *arguments, **keywords):
    return status_of(action, *arguments, **keywords)[0]
