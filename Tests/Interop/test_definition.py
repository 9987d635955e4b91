"""The .proto files against the public definition's names, numbers and types."""

import pathlib

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

import gnoi

PUBLIC = dict(
    line.split(": ", 1)
    for line in (pathlib.Path(__file__).parent / "public_definition.txt").read_text().splitlines()
    if not line.startswith("#"))

METHODS = {
    "Deploy": ("stream DeployRequest", "stream DeployResponse"),
    "ListImage": ("ListImageRequest", "stream ListImageResponse"),
    "RemoveImage": ("RemoveImageRequest", "RemoveImageResponse"),
    "RemoveContainer": ("RemoveContainerRequest", "RemoveContainerResponse"),
    "ListContainer": ("ListContainerRequest", "stream ListContainerResponse"),
    "StartContainer": ("StartContainerRequest", "StartContainerResponse"),
    "StopContainer": ("StopContainerRequest", "StopContainerResponse"),
    "UpdateContainer": ("UpdateContainerRequest", "UpdateContainerResponse"),
    "Log": ("LogRequest", "stream LogResponse"),
    "CreateVolume": ("CreateVolumeRequest", "CreateVolumeResponse"),
    "RemoveVolume": ("RemoveVolumeRequest", "RemoveVolumeResponse"),
    "ListVolume": ("ListVolumeRequest", "stream ListVolumeResponse"),
    "StartPlugin": ("StartPluginRequest", "StartPluginResponse"),
    "StopPlugin": ("StopPluginRequest", "StopPluginResponse"),
    "ListPlugins": ("ListPluginsRequest", "ListPluginsResponse"),
    "RemovePlugin": ("RemovePluginRequest", "RemovePluginResponse"),
    "RemovePluginTar": ("RemovePluginTarRequest", "RemovePluginTarResponse"),
}


def type_name(field, maps):
    """A field's type as the public definition's list has it; `maps` holds the entry types."""
    if field.type_name in maps:
        key, value = maps[field.type_name].field
        return f"map<{type_name(key, maps)}, {type_name(value, maps)}>"
    if field.type_name:
        name = field.type_name.removeprefix(".").removeprefix("gnoi.containerz.")
    else:
        name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def parts(message, full_name):
    """The fields and the reserved numbers of a message."""
    maps = {f"{full_name}.{nested.name}": nested
            for nested in message.nested_type if nested.options.map_entry}
    for field in message.field:
        oneof = (f" (oneof {message.oneof_decl[field.oneof_index].name})"
                 if field.HasField("oneof_index") else "")
        yield f"{field.number} {field.name} {type_name(field, maps)}{oneof}"
    reserved = [str(n) for r in message.reserved_range for n in range(r.start, r.end)]
    if reserved:
        yield "reserved " + ", ".join(reserved)


def everything():
    """All messages and enums of the files, each with its parts."""
    found = {}

    def enums(descriptors, prefix):
        for enum in descriptors:
            values = (f"{value.name} = {value.number}" for value in enum.value)
            found[f"enum {prefix}{enum.name}"] = sorted(values)

    def messages(descriptors, package, prefix=""):
        for message in descriptors:
            if not message.options.map_entry:
                name = prefix + message.name
                found[name] = sorted(parts(message, f".{package}.{name}")) or ["(empty)"]
                messages(message.nested_type, package, f"{name}.")
                enums(message.enum_type, f"{name}.")

    containerz = gnoi.messages.DESCRIPTOR
    for file in map(proto, [containerz, *containerz.dependencies]):
        if file.package.startswith("gnoi."):
            messages(file.message_type, file.package)
            enums(file.enum_type, "")
    return found


def proto(file):
    """A file's descriptor as a message."""
    result = FileDescriptorProto()
    file.CopyToProto(result)
    return result


FOUND = everything()


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_has_the_public_numbers_and_types(name):
    separator = ", " if name.startswith("enum ") else "; "
    assert FOUND[name] == sorted(PUBLIC[name].split(separator))


def test_defines_nothing_else():
    assert set(FOUND) == set(PUBLIC)


def test_the_service_has_the_public_methods():
    (service,) = proto(gnoi.messages.DESCRIPTOR).service
    assert service.name == "Containerz"

    def side(streams, type_name):
        return ("stream " if streams else "") + type_name.removeprefix(".gnoi.containerz.")

    assert METHODS == {
        method.name: (side(method.client_streaming, method.input_type),
                      side(method.server_streaming, method.output_type))
        for method in service.method}


def test_the_file_says_its_version():
    options = gnoi.messages.DESCRIPTOR.GetOptions()
    assert options.Extensions[gnoi.types.gnoi_version] == "0.2.0"
    assert gnoi.types.gnoi_version.number == 1002


def test_files_have_the_import_paths_that_other_protos_use():
    assert gnoi.messages.DESCRIPTOR.name == (
        "github.com/openconfig/gnoi/containerz/containerz.proto")
    assert {file.name for file in gnoi.messages.DESCRIPTOR.dependencies} == {
        "github.com/openconfig/gnoi/common/common.proto",
        "github.com/openconfig/gnoi/types/types.proto",
        "google/protobuf/timestamp.proto",
        "google/rpc/status.proto",
    }
