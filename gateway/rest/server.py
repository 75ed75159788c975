"""The HTTP server around the application."""

import socket
import ssl
from typing import Final

import uvicorn

from gateway.live.socket_protocol import SocketProtocol
from gateway.rest.application import Gateway
from gateway.rest.cors import with_cors
from gateway.rest.protocol import Protocol
from gateway.settings import GatewaySettings

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 65
_TLS_ALONE: Final = ("strict-transport-security", "max-age=31536000")
SOCKET_MESSAGE_BYTES: Final = 4_096
"""The largest message that is taken over WebSocket, where nothing is made of any."""


class Server(uvicorn.Server):
    """Stops in order: what streams without an end is ended before the connections are waited for."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._gateway = Gateway(settings)
        super().__init__(server_config(self._gateway, settings))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, end the streams, wait for the rest."""
        self._gateway.end_streams()
        await super().shutdown(sockets)


def listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """The port of REST, taken. Raises OSError when somebody else has it, who does not share it as we do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not is_shared:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Not listened on before we are ready: the kernel hands a part of the connections to whoever listens.
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


def server_config(gateway: Gateway, settings: GatewaySettings) -> uvicorn.Config:
    """How uvicorn serves: its own C parts, our logs, requests under way finished before it stops."""
    demanded = settings.tls_client_ca_file
    return uvicorn.Config(
        with_cors(gateway, settings.cors_origins),
        backlog=_BACKLOG,
        loop="uvloop",
        http=Protocol,
        ws=SocketProtocol,
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
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
