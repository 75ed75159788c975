"""Whether spans are left at all, as the settings say."""

from chassis.telemetry.settings import TelemetrySettings
from chassis.telemetry.spans import Spans


def spans_of(settings: TelemetrySettings, context: str) -> Spans | None:
    """Where this process leaves its spans; None while there is no place to send them to."""
    if not settings.otlp_endpoint:
        return None
    # Here, because the SDK takes a third of a second and 15 MB, which nobody pays who does not use it.
    from chassis.telemetry.export import Export

    return Spans(Export(settings.otlp_endpoint, context))
