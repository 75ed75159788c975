"""Every path that is answered, and by what: the annotated methods, health, and the gateway's own pages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache

from chassis.access.door import Door
from chassis.access.policy import policy_of
from chassis.telemetry.spans import Spans
from gateway.live.event_streams import EventStream
from gateway.live.upstream import Upstream
from gateway.page import page
from gateway.rest.admission import Admission
from gateway.rest.answers import Answer, Stream, of_json, of_page
from gateway.rest.batches import Bounds
from gateway.rest.belonging import Belonging, owner_of
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels
from gateway.rest.coalesced import Coalesced
from gateway.rest.decoding import Readers
from gateway.rest.descriptors import load_descriptors
from gateway.rest.downloads import Download
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face, read_faces
from gateway.rest.fan_out import FanOut
from gateway.rest.gathered import Gathered
from gateway.rest.guarded import Guarded
from gateway.rest.health import Health
from gateway.rest.openapi import OpenApi
from gateway.rest.requests import Request
from gateway.rest.routing import Router
from gateway.rest.unary import Unary
from gateway.rest.uploads import Upload
from gateway.settings import GatewaySettings

Endpoint = Callable[[Request], Awaitable[Answer | Stream]]


def build_routes(
    channels: Channels, settings: GatewaySettings, door: Door, upstream: Upstream, spans: Spans | None = None
) -> Router[Endpoint]:
    """The router of all paths, each method's behind its gate; raises UnsupportedFace for what cannot be served."""
    router: Router[Endpoint] = Router()
    descriptors = load_descriptors()
    faces = read_faces(descriptors)
    endpoints = Endpoints(channels, settings, faces, upstream, spans)
    admission = Admission(settings.gateway_max_requests)
    for face in faces:
        endpoint = endpoints.of(face)
        if (gate := door.gate(policy_of(face.method))) is not None:
            endpoint = Guarded(endpoint, gate)
        admitted = admission.guard(endpoint)
        for path in dict.fromkeys(face.paths):
            router.add(face.verb, path, admitted)
    openapi = OpenApi(faces, descriptors.comments, needs_token=settings.asks_callers)
    for path, endpoint in _own(channels, openapi).items():
        for prefix in ("", "/api/v1", "/api"):
            router.add("GET", prefix + path, endpoint)
    router.add("GET", "/", _page("index.html"))
    return router


class Endpoints:
    """Makes the endpoint that fits a face."""

    def __init__(
        self,
        channels: Channels,
        settings: GatewaySettings,
        faces: Sequence[Face],
        upstream: Upstream,
        spans: Spans | None = None,
    ) -> None:
        self._channels = channels
        self._spans = spans
        self._upstream = upstream
        self._faces = faces
        self._deadline = settings.gateway_deadline_seconds
        self._bounds = Bounds(
            settings.gateway_batches_in_flight,
            settings.gateway_batch_orders,
            settings.gateway_max_waiting,
            settings.gateway_queue_seconds,
        )
        self._readers = Readers()
        self._writers = Writers()

    def of(self, face: Face) -> Endpoint:
        """What serves the face: the way the method is asked follows from its options and streams."""
        binding = Binding(face, self._readers)
        if face.options.fan_out:
            return FanOut(face, binding, self._channels, self._writers, self._deadline)
        if face.options.coalesced_by and face.raw_body is not None:
            return Upload(face, binding, self._channels, self._writers)
        if face.options.coalesced_by:
            return Coalesced(face, binding, self._channels, self._writers, self._deadline, self._bounds, self._spans)
        if face.options.event_stream:
            return EventStream(binding, self._upstream)
        if face.method.server_streaming:
            return Download(face, binding, self._channels, self._writers)
        if face.options.belongs_to:
            return Belonging(self._unary(owner_of(face, self._faces)), self._unary(face))
        if face.options.gathered_by:
            return Gathered(face, self._unary(face), binding, self._channels, self._writers, self._deadline)
        return self._unary(face)

    def _unary(self, face: Face) -> Unary:
        return Unary(face, Binding(face, self._readers), self._channels, self._writers, self._deadline)


def _own(channels: Channels, openapi: OpenApi) -> Mapping[str, Endpoint]:
    health = Health(channels)
    document = cache(lambda: of_json(200, openapi.document()))

    async def openapi_json(request: Request) -> Answer:
        return document()

    return {
        "/health": health.health,
        "/health/live": health.live,
        "/health/ready": health.ready,
        "/openapi.json": openapi_json,
        "/docs": _page("docs.html"),
    }


def _page(name: str) -> Endpoint:
    answer = of_page(page(name))

    async def show(request: Request) -> Answer:
        return answer

    return show
