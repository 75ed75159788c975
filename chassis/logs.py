"""Log lines as JSON objects on stdout: ts, level, event, service, trace_id and what the caller adds."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import orjson
import structlog

from chassis import clock, tracing
from chassis.masking import HIDDEN, is_secret_name, without_credentials, without_rows

_Event = MutableMapping[str, Any]

_REPEAT_SECONDS: Final = 10.0
"""A library's message of the same wording is told at most this often."""
_WORDINGS: Final = 500


def get_logger(name: str) -> Any:
    """A logger; configured by the first line it writes, so that modules may make theirs at import."""
    return structlog.get_logger(module=name)


def configure_logs(service: str, level: str = "INFO") -> None:
    """Send everything, that of the libraries from WARNING on, to stdout as JSON."""
    structlog.configure(
        processors=[
            _Stamp(service),
            structlog.processors.format_exc_info,
            _hide_secrets,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(level)), handlers=[_Adopted()], force=True)


class _Stamp:
    """Adds when, how grave, who and in which trace."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, level: str, line: _Event) -> _Event:
        # First in the line, where the eye looks for them.
        stamped: _Event = {
            "ts": clock.now().isoformat(timespec="milliseconds"),
            "level": "error" if level == "exception" else level,
            "event": line.pop("event", ""),
            "service": self._service,
        }
        if traceparent := tracing.current.get():
            stamped["trace_id"] = tracing.trace_id_of(traceparent)
        stamped.update(line)
        return stamped


def _hide_secrets(_logger: Any, _level: str, line: _Event) -> _Event:
    for name, value in line.items():
        if is_secret_name(name):
            line[name] = HIDDEN
        elif not isinstance(value, int | float):
            line[name] = _hidden_in(value)
    return line


def _hidden_in(value: Any) -> Any:
    if isinstance(value, str):
        return without_rows(without_credentials(value))
    if isinstance(value, Mapping):
        return {name: HIDDEN if is_secret_name(str(name)) else _hidden_in(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden_in(inner) for inner in value]
    return value


def _as_json(line: _Event, **_unused: Any) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a number or a text that JSON cannot carry: a line in other words is better than none
        return orjson.dumps({ascii(name).strip("'"): ascii(value).strip("'") for name, value in line.items()})


class _Adopted(logging.Handler):
    """Brings the lines of libraries into our form, each wording at most once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_news(record):
            return
        structlog.get_logger(module=record.name).log(
            record.levelno, without_rows(without_credentials(record.getMessage())), exc_info=record.exc_info or None
        )

    def _is_news(self, record: logging.LogRecord) -> bool:
        # A client that lost its broker says so many times a second.
        now, wording = clock.monotonic(), (record.name, str(record.msg))
        if now < self._told_at.get(wording, -_REPEAT_SECONDS) + _REPEAT_SECONDS:
            return False
        if len(self._told_at) >= _WORDINGS:
            self._told_at.clear()
        self._told_at[wording] = now
        return True
