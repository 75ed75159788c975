"""Whether files that a setting names hold the certificates and keys that they should."""

import ssl
from collections.abc import Callable
from pathlib import Path


def authorities(file: Path) -> Path:
    """A file of certificates that others are believed for; raises ValueError for anything else."""
    _usable(lambda: _anew().load_verify_locations(file), "holds no certificates")
    return file


def key_of(certificate: Path, key: Path, name: str) -> Path:
    """The key of a certificate; raises ValueError, with the name of the certificate's setting, for anything else."""
    _usable(lambda: _anew().load_cert_chain(certificate, key), f"is not the key of {name}")
    return key


def _anew() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _usable(read: Callable[[], object], otherwise: str) -> None:
    try:
        read()
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(otherwise) from error
