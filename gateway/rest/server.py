"""The HTTP server around the application."""

import socket
import ssl
from typing import Final

import uvicorn

from gateway.rest.application import Gateway
from gateway.rest.cors import with_cors
from gateway.rest.protocol import Protocol
from gateway.settings import GatewaySettings

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 65
_TLS_ALONE: Final = ("strict-transport-security", "max-age=31536000")


def listen(host: str, port: int) -> socket.socket:
    """The port of REST, taken. Raises OSError when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def server_config(settings: GatewaySettings) -> uvicorn.Config:
    """How uvicorn serves: its own C parts, our logs, requests under way finished before it stops."""
    demanded = settings.tls_client_ca_file
    return uvicorn.Config(
        with_cors(Gateway(settings), settings.cors_origins),
        backlog=_BACKLOG,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[_TLS_ALONE] if settings.tls_cert_file else [],
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds) or None,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        ssl_ca_certs=str(demanded) if demanded else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if demanded else ssl.CERT_NONE,
    )
