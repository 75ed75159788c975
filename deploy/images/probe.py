"""`python -m deploy.images.probe [MODULE …]`: is it ready? Asked inside the container, by gRPC health or REST.

Without a name, whatever of ours listens here is asked; exit code 0 when something does and all of it is ready. With
TLS, the certificate must be good for the address that is asked: LISTEN_HOST, or 127.0.0.1 where that is every address.
"""

import http.client
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from chassis import tls
from deploy.images.processes import GATEWAY, PROCESSES, Process

_SECONDS: Final = 5.0
_EVERYWHERE: Final = ("", "0.0.0.0", "::")


def complaint(process: Process, environment: Mapping[str, str]) -> str | None:
    """Why it is not ready, or None when it is."""
    host, port = _address(process, environment)
    told = _rest(host, port, environment) if process is GATEWAY else _grpc(host, port, environment)
    return f"{process.module} at port {port}: {told}" if told else None


def complaints(names: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Those of the named processes, or of all that listen here."""
    wanted = [process for process in PROCESSES if process.module in names]
    if unknown := set(names) - {process.module for process in wanted}:
        return [f"there is no process {', '.join(sorted(unknown))}"]
    asked = wanted or [process for process in PROCESSES if _is_listening(*_address(process, environment))]
    if not asked:
        return ["nothing of ours listens here"]
    return [told for process in asked if (told := complaint(process, environment))]


def _address(process: Process, environment: Mapping[str, str]) -> tuple[str, int]:
    host = environment.get("LISTEN_HOST", "")
    return "127.0.0.1" if host in _EVERYWHERE else host, process.port_in(environment)


def _is_listening(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def _grpc(host: str, port: int, environment: Mapping[str, str]) -> str | None:
    credentials = tls.credentials_in(environment) if environment.get("TLS_CERT_FILE") else None
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with tls.channel(address, credentials, [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = check(HealthCheckRequest(), timeout=_SECONDS)
        except grpc.RpcError as error:
            return f"does not answer ({error.code().name})"
    is_serving = answer.status == HealthCheckResponse.SERVING
    return None if is_serving else "answers, and is not ready"


def _rest(host: str, port: int, environment: Mapping[str, str]) -> str | None:
    connection = _connection(host, port, environment)
    try:
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer ({error})"
    finally:
        connection.close()
    return None if status == 200 else f"answers {status}"


def _connection(host: str, port: int, environment: Mapping[str, str]) -> http.client.HTTPConnection:
    if not environment.get("TLS_CERT_FILE"):
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=tls.client_context(environment))


def main(arguments: Sequence[str]) -> int:
    """0 ready, 1 not."""
    told = complaints(arguments, os.environ)
    for line in told:
        print(line, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
