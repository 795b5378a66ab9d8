"""Small SVG charts of the versions of a dataset: violations by rule, and age of published data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

WIDTH, HEIGHT, MARGIN = 240.0, 56.0, 5.0
MAX_CHARTS = 12
"""Rules with a chart: those with the most violations in the latest version first."""


@dataclass(frozen=True)
class ChartedVersion:
    """One version in the history of a dataset.

    Attributes:
        version: id of the version.
        state: published, held and so on, as ``spatial-pipeline history`` says.
        staged_at: ISO 8601 time in UTC.
        checked: True when it has a verdict.
        violations: number of violations by name of the check.
        published_at: ISO 8601 time in UTC of the last publication; None when never published.

    """

    version: str
    state: str
    staged_at: str
    checked: bool = False
    violations: dict[str, int] = field(default_factory=dict)
    published_at: str | None = None


@dataclass(frozen=True)
class Chart:
    """One small chart.

    Attributes:
        title: what it shows.
        said: the same in words, for those who do not see it.
        path: SVG path of the line in a drawing of :data:`WIDTH` × :data:`HEIGHT`.
        dots: (x, y) of the values.
        last: the last value, as text.
        most: the largest value, as text.

    """

    title: str
    said: str
    path: str
    dots: tuple[tuple[float, float], ...]
    last: str
    most: str


def charts(history: Sequence[ChartedVersion], now: str) -> list[Chart]:
    """Charts of a history of at least two checked versions; none for a shorter one.

    Args:
        history: versions of one partition, oldest first.
        now: ISO 8601 time in UTC at which the age of published data is drawn last.

    """
    checked = [v for v in history if v.checked]
    out: list[Chart] = []
    if len(checked) > 1:
        names = {n: v.violations.get(n, 0) for v in checked for n in v.violations}
        moved = [n for n in names if any(v.violations.get(n) for v in checked)]
        moved.sort(key=lambda n: (-checked[-1].violations.get(n, 0), n))
        out = [_violations(n, checked) for n in moved[:MAX_CHARTS]]
    age = _age(history, now)
    return [age, *out] if age is not None else out


def _violations(name: str, history: Sequence[ChartedVersion]) -> Chart:
    values = [float(v.violations.get(name, 0)) for v in history]
    points = [(float(i), v) for i, v in enumerate(values)]
    words = ", ".join(f"{v:.0f}" for v in values[-12:])
    said = f"violations of {name} in the last {min(len(values), 12)} versions: {words}"
    return _chart(name, said, points, f"{values[-1]:.0f}", f"{max(values):.0f}", dots=True)


def _age(history: Sequence[ChartedVersion], now: str) -> Chart | None:
    """Age of the data that readers see, in days: it grows until the next publication."""
    times = sorted(_days(v.published_at) for v in history if v.published_at is not None)
    if not times:
        return None
    points: list[tuple[float, float]] = []
    for begin, end in zip(times, [*times[1:], max(_days(now), times[-1])], strict=True):
        points += [(begin, 0.0), (end, end - begin)]
    last, most = points[-1][1], max(age for _, age in points)
    said = f"age of the published data: {_duration(last)} now, {_duration(most)} at most"
    return _chart("age of published data", said, points, _duration(last), _duration(most))


def _chart(
    title: str,
    said: str,
    points: Sequence[tuple[float, float]],
    last: str,
    most: str,
    *,
    dots: bool = False,
) -> Chart:
    xs = [x for x, _ in points]
    wide = (max(xs) - min(xs)) or 1.0
    high = max(y for _, y in points) or 1.0
    places = tuple(
        (
            round(MARGIN + (x - min(xs)) / wide * (WIDTH - 2 * MARGIN), 1),
            round(HEIGHT - MARGIN - y / high * (HEIGHT - 2 * MARGIN), 1),
        )
        for x, y in points
    )
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
    return Chart(title, said, path, places if dots else places[-1:], last, most)


def _days(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() / 86_400


def _duration(days: float) -> str:
    """An age in the largest fitting unit."""
    for size, unit in ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute")):
        if days >= size:
            number = f"{days / size:.1f}".removesuffix(".0")
            return f"{number} {unit}{'' if number == '1' else 's'}"
    return "less than a minute"
