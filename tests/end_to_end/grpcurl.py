"""What grpcurl does, for machines without it: `python -m tests.end_to_end.grpcurl -plaintext [-d JSON] ADDRESS WHAT`.

It knows no proto of ours, and asks the server for them by reflection.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="grpcurl", prefix_chars="-")
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-d", dest="data", default="{}")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("address")
    parser.add_argument("what")
    parser.add_argument("symbol", nargs="?", default="")
    asked = parser.parse_args(arguments)
    with grpc.insecure_channel(asked.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        if asked.what == "list":
            print("\n".join(database.get_services()))
        elif asked.what == "describe":
            print(_described(DescriptorPool(database), asked.symbol))
        else:
            headers = [tuple(header.split(": ", 1)) for header in asked.headers]
            return _called(channel, DescriptorPool(database), asked.what, asked.data, headers)
    return 0


def _described(pool: DescriptorPool, symbol: str) -> str:
    service: Any = pool.FindServiceByName(symbol)
    return "\n".join(
        f"rpc {method.name} ( .{method.input_type.full_name} ) returns ( .{method.output_type.full_name} )"
        for method in service.methods
    )


def _called(channel: grpc.Channel, pool: DescriptorPool, name: str, data: str, headers: Any) -> int:
    service, _, called = name.partition("/")
    method: Any = pool.FindServiceByName(service).methods_by_name[called]
    kind = f"unary_{'stream' if method.server_streaming else 'unary'}"
    call = getattr(channel, kind)(
        f"/{name}",
        request_serializer=GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    request = json_format.Parse(data, GetMessageClass(method.input_type)())
    try:
        answer = call(request, timeout=SECONDS, metadata=headers)
        for message in answer if method.server_streaming else [answer]:
            print(json_format.MessageToJson(message, descriptor_pool=pool))
    except grpc.RpcError as error:
        refused: Any = error
        print(f"ERROR:\n  Code: {refused.code().name}\n  Message: {refused.details()}", file=sys.stderr)
        return 64 + int(refused.code().value[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
