"""The services' descriptors as they were built, with the comments of the protos that Python's own leave out."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet


@dataclass(frozen=True)
class Descriptors:
    """Every service of the protos, and what is said there of services, methods, messages, fields and enum values."""

    services: Sequence[ServiceDescriptor]
    comments: Mapping[str, str]
    """By full name, as `orders.v1.Order.customer_id`."""


def load_descriptors() -> Descriptors:
    """Reads the set that `python -m protos.generate` leaves beside the generated code."""
    described = FileDescriptorSet.FromString(files("protos").joinpath("descriptors.binpb").read_bytes())
    comments = {name: text for file in described.file for name, text in _comments_of(file)}
    services = [service for file in described.file if file.service for service in _services_of(file)]
    return Descriptors(services, comments)


def _services_of(file: FileDescriptorProto) -> list[ServiceDescriptor]:
    """The service's descriptors from the generated module, so that messages are of its classes."""
    module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    descriptor: FileDescriptor = module.DESCRIPTOR
    return list(descriptor.services_by_name.values())


def _comments_of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_names_in(file))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name and location.leading_comments:
            yield name, " ".join(location.leading_comments.split())


def _names_in(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """The full name of each element by its path in the file's descriptor, as source locations give it."""
    number = {name: field.number for name, field in file.DESCRIPTOR.fields_by_name.items()}
    for index, message in enumerate(file.message_type):
        yield from _names_in_message(message, (number["message_type"], index), file.package)
    for index, enum in enumerate(file.enum_type):
        path = (number["enum_type"], index)
        yield path, f"{file.package}.{enum.name}"
        for at, value in enumerate(enum.value):
            yield (*path, 2, at), f"{file.package}.{enum.name}.{value.name}"
    for index, service in enumerate(file.service):
        path = (number["service"], index)
        yield path, f"{file.package}.{service.name}"
        for at, method in enumerate(service.method):
            yield (*path, 2, at), f"{file.package}.{service.name}.{method.name}"


def _names_in_message(
    message: DescriptorProto, path: tuple[int, ...], scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _names_in_message(nested, (*path, 3, index), name)
