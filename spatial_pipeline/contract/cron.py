"""Validation of cron expressions: five fields, as Dagster's schedules accept them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise

from spatial_pipeline.contract.spelling import closest

MACROS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually", "@midnight")
_MEANING = {
    "@hourly": "0 * * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FOUR_YEARS = 4 * 365 + 1
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
LONGEST_MONTHS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}  # fmt: skip  # noqa: E501


def cron_mistake(expression: str) -> str | None:
    """Describe the mistake in a cron expression; None when it is valid.

    Accepted are ``*``, numbers, names of months and days, ranges, steps, lists, and macros such as
    ``@daily``. An expression that no day ever matches (30 February) is a mistake.
    """
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() in MACROS:
            return None
        return f"{text!r} is not a cron macro{closest(text, MACROS).hint}"
    parts = text.split()
    if len(parts) != len(FIELDS):
        return (
            f"a cron expression has 5 fields (minute, hour, day of the month, month, day of the "
            f"week), {expression!r} has {len(parts)}"
        )
    sets: list[set[int]] = []
    for part, (name, low, high, names) in zip(parts, FIELDS, strict=True):
        values: set[int] = set()
        for item in part.split(","):
            found = _values(item, low, high, names)
            if isinstance(found, str):
                return f"{name} {part!r}: {found}"
            values |= found
        sets.append(values)
    _, _, days, months, _ = sets
    # Dagster takes no 30 February, even where the day of the week would match.
    impossible = all(min(days) > LONGEST_MONTHS[m] for m in months)
    if impossible and ("*" in parts[4] or months == {2}):
        return f"{expression!r}: no month has that day"
    return None


def shortest_interval(expression: str) -> timedelta:
    """Shortest time between two ticks of a cron expression that is right, in a zone without DST."""
    text = expression.strip().lower()
    text = _MEANING.get(text, "0 0 * * *" if text.startswith("@") else text)
    sets: list[set[int]] = []
    for part, (_, low, high, names) in zip(text.split(), FIELDS, strict=True):
        found = [_values(item, low, high, names) for item in part.split(",")]
        sets.append(set().union(*(f for f in found if not isinstance(f, str))))
    minutes, hours, days, months, weekdays = sets
    times = sorted(60 * h + m for h in hours for m in minutes)
    gaps = [b - a for a, b in pairwise(times)]
    # Both kinds of days restricted: either of them matches.
    either = not any(text.split()[i].startswith("*") for i in (2, 4))
    ticks: list[int] = []
    for number in range(_FOUR_YEARS):
        day = date(2024, 1, 1) + timedelta(days=number)
        matches = (day.day in days, bool({day.isoweekday(), day.isoweekday() % 7} & weekdays))
        if day.month in months and (any(matches) if either else all(matches)):
            ticks.append(number)
    gaps += [(b - a) * 1440 + times[0] - times[-1] for a, b in pairwise(ticks)]
    return timedelta(minutes=min(gaps, default=_FOUR_YEARS * 1440))


def _values(item: str, low: int, high: int, names: tuple[str, ...]) -> set[int] | str:
    """Numbers that one item of a list stands for, or what is wrong with it."""
    match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", item)
    if match is None:
        return f"{item!r} is not a number, range or step"
    start, stop, step = match.groups()
    if step is not None and int(step) == 0:
        return "a step of 0"
    if start == "*":
        if stop is not None:
            return f"{item!r} is not a range"
        first, last = low, high
    else:
        bounds = [_number(t, low, names) for t in (start, stop) if t is not None]
        for text, number in zip((start, stop), bounds, strict=False):
            if number is None:
                return f"{text!r} is not a number"
            if not low <= number <= high:
                return f"{text} is not in {low} to {high}"
        numbers = [n for n in bounds if n is not None]
        first = numbers[0]
        last = numbers[1] if len(numbers) == 2 else (high if step else first)
        if first > last:
            return f"{item!r} runs backwards"
    return set(range(first, last + 1, int(step or 1)))


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text)
    if text.lower() in names:
        return names.index(text.lower()) + low
    return None
