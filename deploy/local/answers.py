"""Asks each part whether it is there, in its own language."""

import http.client
import socket
import struct
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

NOTHING: Mapping[str, str] = {}
SECONDS = 2.0
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # size, api key, version, correlation, no client id


def postgres_complaint(url: str) -> str | None:
    """Why nobody can work with this database, or None when one can."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error)
    return None


def postgres_answers(url: str) -> bool:
    return postgres_complaint(url) is None


def redis_complaint(url: str) -> str | None:
    """Why nobody can work with this Redis, or None when one can."""
    import redis

    try:
        with closing(redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return str(error)
    return None


def redis_answers(url: str) -> bool:
    return redis_complaint(url) is None


def kafka_answers(servers: str) -> bool:
    """Whether a broker speaks: a listening socket alone says little, Kafka listens before it serves."""
    return any(broker_speaks(server) for server in servers.split(","))


def broker_speaks(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), SECONDS) as connection:
            connection.sendall(API_VERSIONS)
            return len(connection.recv(8)) == 8
    except (OSError, ValueError):
        return False


def connection_complaint(servers: str) -> str | None:
    """For brokers that others provide, whose first words may have to be a TLS or SASL handshake: one must be there."""
    complaint = "no server is named"
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
        except (OSError, ValueError) as error:
            complaint = f"{server}: {error}"
        else:
            return None
    return complaint


def grpc_answers(address: str, environment: Mapping[str, str] = NOTHING) -> bool:
    """`environment` may name certificates, as that of the services does."""
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    from chassis import tls

    credentials = tls.credentials_in(environment) if environment.get("TLS_CERT_FILE") else None
    with tls.channel(address, credentials, [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = check(HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def http_answers(url: str, environment: Mapping[str, str] = NOTHING) -> bool:
    with closing(http_connection(urlsplit(url), environment)) as connection:
        try:
            connection.request("GET", urlsplit(url).path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def http_connection(parts: SplitResult, environment: Mapping[str, str]) -> http.client.HTTPConnection:
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    from chassis import tls

    return http.client.HTTPSConnection(parts.netloc, timeout=SECONDS, context=tls.client_context(environment))
