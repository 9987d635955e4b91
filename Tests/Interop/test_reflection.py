"""Clients without .proto files, by Python's grpcio-reflection."""

import pathlib

import grpc_tools
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)
from grpc_tools import protoc

import gnoi
from gnoi import DEADLINE, Code, code_of
from harness import DESCRIPTORS

SOURCES = pathlib.Path(__file__).parents[2] / "Sources"
SERVICES = [
    "containerz.upgrade.v1.Upgrades", "gnoi.containerz.Containerz", "gnoi.system.System",
    "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection"]
VERSIONS = ["v1", "v1alpha"]


class Reflection:
    """The stub of either version, in the place of the one that comes with grpcio-reflection,
    which knows v1alpha alone."""

    def __init__(self, channel, version):
        self.ServerReflectionInfo = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)

    def ask(self, *questions):
        requests = (reflection_pb2.ServerReflectionRequest(host="here", **question)
                    for question in questions)
        return list(self.ServerReflectionInfo(requests, timeout=DEADLINE))


def database(channel, version):
    database = ProtoReflectionDescriptorDatabase(channel)
    database._stub = Reflection(channel, version)
    return database


@pytest.mark.parametrize("version", VERSIONS)
def test_every_method_is_found_and_can_be_called(docker_stack, docker_image, version):
    with docker_stack.channel("reader") as channel:
        found = database(channel, version)
        assert sorted(found.get_services()) == SERVICES
        pool = descriptor_pool.DescriptorPool(found)
        for name in SERVICES:
            assert pool.FindServiceByName(name).methods
        service = pool.FindServiceByName("gnoi.containerz.Containerz")
        known = gnoi.messages.DESCRIPTOR.services_by_name["Containerz"]
        assert [describe(method) for method in service.methods] == [
            describe(method) for method in known.methods]
        method = service.methods_by_name["ListImage"]
        request = message_factory.GetMessageClass(method.input_type)()
        response = message_factory.GetMessageClass(method.output_type)
        images = channel.unary_stream(
            f"/{service.full_name}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString)(request, timeout=DEADLINE)
        assert docker_image in [f"{image.image_name}:{image.tag}" for image in images]


def describe(method):
    return (method.name, method.input_type.full_name, method.output_type.full_name,
            method.client_streaming, method.server_streaming)


@pytest.mark.parametrize("version", VERSIONS)
def test_several_questions_on_one_stream(docker_stack, version):
    options = "google.protobuf.FileOptions"
    with docker_stack.channel("reader") as channel:
        answers = Reflection(channel, version).ask(
            {"file_containing_symbol": "gnoi.containerz.Containerz.Deploy"},
            {"file_containing_extension": {"containing_type": options, "extension_number": 1002}},
            {"all_extension_numbers_of_type": options},
            {"all_extension_numbers_of_type": "gnoi.containerz.DeployRequest"},
            {"file_containing_extension": {"containing_type": options, "extension_number": 1}},
            {"file_by_filename": "containerz.proto"},
            {"file_containing_symbol": "gnoi.containerz.Nothing"},
            {})
        kinds = [answer.WhichOneof("message_response") for answer in answers]
        assert kinds == ["file_descriptor_response"] * 2 + [
            "all_extension_numbers_response"] * 2 + ["error_response"] * 4
        assert list(answers[2].all_extension_numbers_response.extension_number) == [1002]
        assert list(answers[3].all_extension_numbers_response.extension_number) == []
        codes = [answer.error_response.error_code for answer in answers[4:]]
        assert codes == [Code.NOT_FOUND.value[0]] * 3 + [Code.INVALID_ARGUMENT.value[0]]
        assert {answer.valid_host for answer in answers} == {"here"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client, code", [
    ("reader", Code.OK), ("client", Code.OK), ("nobody", Code.PERMISSION_DENIED)])
def test_it_takes_a_scope(docker_stack, client, code, version):
    with docker_stack.channel(client) as channel:
        assert code_of(Reflection(channel, version).ask, {"list_services": ""}) is code


def test_the_committed_descriptors_are_those_of_the_protos(tmp_path):
    """What `make generate` would make, by another version of protoc."""
    folders = sorted(SOURCES.glob("*/protos"))
    names = sorted(str(path.relative_to(folder)) for folder in folders
                   for path in folder.rglob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    made = tmp_path / "descriptors.pb"
    assert protoc.main([
        "protoc", *[f"--proto_path={folder}" for folder in folders],
        f"--proto_path={well_known}", f"--descriptor_set_out={made}", *names]) == 0
    made, committed = [
        {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(
            path.read_bytes()).file} for path in (made, DESCRIPTORS)]
    assert {name: committed.get(name) for name in names} == made
