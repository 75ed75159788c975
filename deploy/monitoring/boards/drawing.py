"""How a dashboard is told, and how Grafana's own library makes JSON of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef

_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
_WIDTH, _HEIGHT = 12, 8


@dataclass(frozen=True)
class Query:
    """An expression, and what its lines are called: `{{label}}` stands for a label."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Lines over time; `unit` is Grafana's word for it."""

    title: str
    unit: str
    queries: Sequence[Query]
    about: str = ""


@dataclass(frozen=True)
class Board:
    """A page; `name` is that of its file and in its address."""

    name: str
    title: str
    panels: Sequence[Panel]


def panel(title: str, unit: str, *queries: tuple[str, str], about: str = "") -> Panel:
    return Panel(title, unit, [Query(*query) for query in queries], about)


def drawn(board: Board) -> str:
    """The JSON that Grafana reads."""
    page = (
        dashboard.Dashboard(board.title)
        .uid(f"order-system-{board.name}")
        .tags(["order-system"])
        .time("now-1h", "now")
        .refresh("30s")
        .readonly()
    )
    for each in board.panels:
        page = page.with_panel(_drawn_panel(each))
    return JSONEncoder(sort_keys=True, indent=2).encode(page.build()) + "\n"


def _drawn_panel(told: Panel) -> timeseries.Panel:
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    lines = (
        timeseries.Panel()
        .title(told.title)
        .description(told.about)
        .datasource(_SOURCE)
        .unit(told.unit)
        .min(0)
        .span(_WIDTH)
        .height(_HEIGHT)
        .legend(legend.show_legend(True))
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for number, query in enumerate(told.queries):
        target = (
            prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(chr(ord("A") + number))
        )
        lines = lines.with_target(target.range())
    return lines
