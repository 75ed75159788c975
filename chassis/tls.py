"""Certificates: what is shown at our ports, what is demanded of callers, and whom we believe when we call."""

import ssl
from collections.abc import Mapping
from pathlib import Path

import grpc

from chassis.access.settings import AccessSettings
from chassis.addresses import ChannelOptions, options_for, target_of


def server_credentials(settings: AccessSettings) -> grpc.ServerCredentials | None:
    """What a gRPC port shows and demands; None for plain text. Raises OSError for files that do not fit together."""
    if server_context(settings) is None:
        return None
    demanded = _bytes_of(settings.tls_client_ca_file)
    return grpc.ssl_server_credentials(
        [(_bytes_of(settings.tls_key_file) or b"", _bytes_of(settings.tls_cert_file) or b"")],
        root_certificates=demanded,
        require_client_auth=demanded is not None,
    )


def server_context(settings: AccessSettings) -> ssl.SSLContext | None:
    """The same for ports of HTTP. Raises OSError (ssl.SSLError is one) for files that do not fit together."""
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    if settings.tls_client_ca_file is not None:
        context.load_verify_locations(settings.tls_client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def channel_credentials(
    authorities: Path | None, key: Path | None = None, certificate: Path | None = None
) -> grpc.ChannelCredentials | None:
    """For calls to services whose certificate is of these authorities, showing ours where we have one; None: plain."""
    if authorities is None:
        return None
    return grpc.ssl_channel_credentials(_bytes_of(authorities), _bytes_of(key), _bytes_of(certificate))


def credentials_of(settings: AccessSettings) -> grpc.ChannelCredentials | None:
    """How a process of ours calls another."""
    return channel_credentials(settings.tls_ca_file, settings.tls_key_file, settings.tls_cert_file)


def credentials_in(environment: Mapping[str, str]) -> grpc.ChannelCredentials | None:
    """How a program calls that has no settings but its environment. Raises OSError for files that cannot be read."""
    files = (environment.get(f"TLS_{name}_FILE") for name in ("CA", "KEY", "CERT"))
    return channel_credentials(*(Path(file) if file else None for file in files))


def client_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The same for HTTP. Raises OSError."""
    context = ssl.create_default_context(cafile=environment.get("TLS_CA_FILE") or None)
    if environment.get("TLS_CERT_FILE"):
        context.load_cert_chain(environment["TLS_CERT_FILE"], environment.get("TLS_KEY_FILE"))
    return context


def aio_channel(
    addresses: str, credentials: grpc.ChannelCredentials | None, options: ChannelOptions
) -> grpc.aio.Channel:
    """An asynchronous channel to one server or several in turn, secure where there are credentials."""
    target, given = target_of(addresses), options_for(addresses, options)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=given)
    return grpc.aio.secure_channel(target, credentials, options=given)


def channel(addresses: str, credentials: grpc.ChannelCredentials | None, options: ChannelOptions) -> grpc.Channel:
    """A channel to one server or several in turn, secure where there are credentials."""
    target, given = target_of(addresses), options_for(addresses, options)
    if credentials is None:
        return grpc.insecure_channel(target, options=given)
    return grpc.secure_channel(target, credentials, options=given)


def _bytes_of(file: Path | None) -> bytes | None:
    return file.read_bytes() if file is not None else None
