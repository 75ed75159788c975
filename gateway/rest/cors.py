"""Pages of other web origins may call the gateway where CORS_ORIGINS names them; nobody else is told anything of it."""

from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware

_VERBS: Final = ("GET", "HEAD", "POST", "PUT")
_ASKED: Final = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer", "traceparent",
    "X-Trace-Id",
)  # fmt: skip
_TOLD: Final = (
    "Content-Disposition", "ETag", "Idempotent-Replayed", "Location", "Preference-Applied", "RateLimit", "Retry-After",
    "X-Trace-Id",
)  # fmt: skip
_REMEMBERED_SECONDS: Final = 600


def with_cors(application: Any, origins: str) -> Any:
    """The application behind its answers to browsers' questions; itself where no origin may ask.

    Tokens travel in a header, never in cookies, so credentials are not allowed and `*` gives nobody's away.
    """
    if not origins:
        return application
    return CORSMiddleware(
        application, allow_origins=origins.split(","), allow_methods=_VERBS, allow_headers=_ASKED,
        expose_headers=_TOLD, max_age=_REMEMBERED_SECONDS,
    )  # fmt: skip
