"""A client that retries once, as every client should: what is not answered then has failed."""

import json
import threading
import urllib.error
from collections.abc import Mapping
from http.client import HTTPException
from typing import Final

from chassis import clock
from deploy.local import Stack
from tests.end_to_end.shop import Answer, Shop

PATIENCE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.2
SILENCE: Final = (OSError, urllib.error.URLError, HTTPException, json.JSONDecodeError)


class CarefulShop(Shop):
    """Counts what was asked, what was asked again, and what nobody served then either."""

    def __init__(self, stack: Stack, port: int | None = None) -> None:
        super().__init__(stack, port)
        self._lock = threading.Lock()
        self.asked = 0
        self.again: list[str] = []
        self.failed: list[str] = []
        self.slowest = 0.0

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, timeout: float = 35
    ) -> Answer:
        """One request, repeated once where it was not served; raises OSError where nobody answered then either."""
        begun = clock.monotonic()
        try:
            return self._call_twice(method, path, body, headers)
        finally:
            with self._lock:
                self.asked += 1
                self.slowest = max(self.slowest, clock.monotonic() - begun)

    def _call_twice(self, method: str, path: str, body: object, headers: Mapping[str, str] | None) -> Answer:
        try:
            answer = super().call(method, path, body, headers, PATIENCE_SECONDS)
            if answer.status < 500:
                return answer
            self.again.append(f"{method} {path}: {answer.status} {answer.body}")
            pause = float(answer.headers.get("retry-after", PAUSE_SECONDS))
        except SILENCE as error:
            self.again.append(f"{method} {path}: {error!r}")
            pause = PAUSE_SECONDS
        threading.Event().wait(pause)
        return self._last_call(method, path, body, headers)

    def _last_call(self, method: str, path: str, body: object, headers: Mapping[str, str] | None) -> Answer:
        try:
            answer = super().call(method, path, body, headers, PATIENCE_SECONDS)
        except SILENCE as error:
            self.failed.append(f"{method} {path}: {error!r}")
            raise
        if answer.status >= 500:
            self.failed.append(f"{method} {path}: {answer.status} {answer.body}")
        return answer
