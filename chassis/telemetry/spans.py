"""Spans of sampled traces: begun under a traceparent that travels on, handed over when they have ended.

The traceparent that goes from REST through rows and envelopes to the last event is the only context there is: a span
takes its parent from it, and its own id takes the parent's place for what comes after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from enum import Enum
from typing import Any, Protocol

from chassis import clock, tracing

Attributes = Mapping[str, str | int | float | bool]


class Kind(Enum):
    """The part that a span plays, in OpenTelemetry's words."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


@dataclass(slots=True)
class Span:
    """One that has begun: `traceparent` names it to others; `parent` is one as well, or empty for the first of all."""

    parent: str
    traceparent: str
    began_ns: int = field(default_factory=clock.unix_ns)


@dataclass(frozen=True, slots=True)
class Ended:
    """A span that is over; `links` are traceparents, `error` a sentence where it failed."""

    span: Span
    name: str
    kind: Kind
    ended_ns: int
    attributes: Attributes
    links: Sequence[str]
    error: str


class Sink(Protocol):
    """Takes spans that have ended, at once, whatever becomes of them."""

    def take(self, ended: Ended) -> None:
        """From any thread; never waits and never fails."""

    def close(self) -> None:
        """Send what is left, for a bounded time."""


class Spans:
    """Where a process leaves its spans. There is none at all where traces are switched off."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def begin(self, parent: str) -> Span:
        """A span of the trace that `parent` names."""
        return Span(parent, tracing.child_of(parent))

    def begin_if_sampled(self, parent: str) -> Span | None:
        """A span where the trace is one of those that are looked at."""
        return self.begin(parent) if tracing.is_sampled(parent) else None

    def begin_trace(self, traceparent: str) -> Span:
        """The first span of the trace that `traceparent` names already."""
        return Span("", traceparent)

    def end(
        self,
        span: Span,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        *,
        links: Sequence[str] = (),
        error: str = "",
    ) -> None:
        """It is over, now."""
        self._sink.take(Ended(span, name, kind, clock.unix_ns(), attributes or {}, links, error))

    def batch(self, name: str, kind: Kind = Kind.INTERNAL) -> "Batch":
        """What is done for many at once, now."""
        return Batch(self, name, kind)

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        self._sink.close()


class Batch:
    """One span for what is done to many, in a trace of its own, with links to the sampled ones among them and back.

    A batch without any of these leaves nothing.
    """

    __slots__ = ("_kind", "_linked", "_members", "_name", "_spans", "span")

    def __init__(self, spans: Spans, name: str, kind: Kind) -> None:
        self._spans = spans
        self._name = name
        self._kind = kind
        self._members: list[tuple[Span, str, Attributes]] = []
        self._linked: list[str] = []
        self.span = spans.begin_trace(tracing.sampled(tracing.new_traceparent()))

    def link(self, traceparent: str) -> None:
        """Somebody whose trace is looked at is served, and has a span elsewhere."""
        if tracing.is_sampled(traceparent):
            self._linked.append(traceparent)

    def join(self, parent: str, name: str, attributes: Attributes | None = None) -> str:
        """One is served: the traceparent that goes on from here, with a span of its own where it is sampled."""
        if not tracing.is_sampled(parent):
            return parent
        member = self._spans.begin(parent)
        self._members.append((member, name, attributes or {}))
        return member.traceparent

    @property
    def is_told(self) -> bool:
        """Whether there is anything to tell of."""
        return bool(self._members or self._linked)

    def end(self, attributes: Attributes | None = None, *, error: str = "") -> None:
        """It is over, and with it what was done for each."""
        if not self.is_told:
            return
        back = (self.span.traceparent,)
        for member, name, told in self._members:
            self._spans.end(member, name, self._kind, told, links=back, error=error)
        links = [*self._linked, *(member.traceparent for member, _, _ in self._members)]
        self._spans.end(self.span, self._name, self._kind, attributes, links=links, error=error)


def told_in(command: Any) -> str:
    """The traceparent that a command carries; empty where it has none."""
    return getattr(command, "traceparent", "")


def with_traceparent(command: Any, traceparent: str) -> Any:
    """The same command in another place of its trace."""
    if is_dataclass(command) and not isinstance(command, type):
        return replace(command, traceparent=traceparent)
    return command._replace(traceparent=traceparent)
