"""Charts as SVG that stand by themselves: lines over time, with bars that are not to be crossed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 34, 56
_COLOURS: Final = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
    *("#56b4e9", "#000000", "#7f7f7f", "#882255", "#44aa99"),
)
"""Told apart by the colour-blind too."""
_LEGEND_COLUMN: Final = 158


@dataclass(frozen=True)
class Chart:
    """Lines by name; x in seconds; `bars` are horizontal lines by what they say."""

    title: str
    unit: str
    lines: Mapping[str, Points]
    bars: Mapping[str, float] = field(default_factory=dict)
    x_unit: str = "s"

    def svg(self) -> str:
        """The chart as a whole SVG document."""
        rows = -(-len(self.lines) // 4)
        height = _HEIGHT + 16 * (rows - 1)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">',
                f'<title>{escape(self.title)}</title><g font-family="sans-serif" font-size="11">',
                f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
                f'<text x="{_LEFT}" y="18" font-size="13" font-weight="bold">{escape(self.title)}</text>',
                *self._grid(),
                *self._bars(),
                *(self._line(number, points) for number, points in enumerate(self.lines.values())),
                *(self._legend(number, name) for number, name in enumerate(self.lines)),
                "</g></svg>",
            ]
        )

    @property
    def _most(self) -> tuple[float, float]:
        points = [point for line in self.lines.values() for point in line]
        highest = max([*(y for _, y in points), *self._bars_in_sight(points)], default=1.0)
        return max((x for x, _ in points), default=1.0) or 1.0, 1.08 * highest or 1.0

    def _bars_in_sight(self, points: Points) -> list[float]:
        """A bar far above all lines would press them flat."""
        highest = max((y for _, y in points), default=0.0)
        return [bar for bar in self.bars.values() if bar <= 3 * highest]

    def _at(self, x: float, y: float) -> tuple[float, float]:
        most_x, most_y = self._most
        return (
            _LEFT + x / most_x * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - y / most_y * (_HEIGHT - _TOP - _BOTTOM),
        )

    def _grid(self) -> list[str]:
        most_x, most_y = self._most
        drawn: list[str] = []
        for y in ticks(most_y):
            _, at = self._at(0, y)
            drawn.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
            drawn.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y:,g}</text>')
        for x in ticks(most_x):
            at, _ = self._at(x, 0)
            drawn.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{x:,g}</text>')
        drawn.append(f'<text x="6" y="{_TOP - 4}">{escape(self.unit)}</text>')
        drawn.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - _BOTTOM + 28}" text-anchor="end">{escape(self.x_unit)}</text>'
        )
        return drawn

    def _bars(self) -> list[str]:
        seen = self._bars_in_sight([point for line in self.lines.values() for point in line])
        drawn: list[str] = []
        for name, bar in self.bars.items():
            if bar in seen:
                _, at = self._at(0, bar)
                drawn.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="#c00" stroke-dasharray="5 4"/>')
                drawn.append(f'<text x="{_LEFT + 4}" y="{at - 3:.1f}" fill="#c00">{escape(name)}</text>')
        return drawn

    def _line(self, number: int, points: Points) -> str:
        path = "L".join("{:.1f} {:.1f}".format(*self._at(x, y)) for x, y in points)
        return f'<path d="M{path or "0 0"}" fill="none" stroke="{colour(number)}" stroke-width="1.5"/>'

    def _legend(self, number: int, name: str) -> str:
        x, y = _LEFT + number % 4 * _LEGEND_COLUMN, _HEIGHT - 18 + number // 4 * 16
        return (
            f'<rect x="{x}" y="{y - 8}" width="10" height="10" fill="{colour(number)}"/>'
            f'<text x="{x + 14}" y="{y + 1}">{escape(name)}</text>'
        )


def colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def ticks(most: float) -> list[float]:
    """At most eight round numbers, from nothing to the most."""
    step = next(step for step in _STEPS if most / step <= 7)
    return [round(number * step, 3) for number in range(int(most / step) + 1)]


_STEPS: Final = tuple(digit * 10.0**zeros for zeros in range(-3, 12) for digit in (1, 2, 5))
