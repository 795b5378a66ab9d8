"""A strict reader of OpenMetrics text, written after the grammar of the specification."""

from __future__ import annotations

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
ABOUT = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)")
ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}

Values = list[tuple[dict[str, str], float]]


def parsed(text: str) -> dict[str, Values]:
    """Values of every family by its name; asserts what the grammar demands."""
    assert text.endswith("# EOF\n")
    found: dict[str, Values] = {}
    about: dict[str, dict[str, str]] = {}
    current = None
    for line in text.removesuffix("# EOF\n").split("\n")[:-1]:
        meta = ABOUT.fullmatch(line)
        if meta is not None:
            kind, name, value = meta.groups()
            assert name not in found, f"{name}: its head comes after its values"
            assert kind not in about.setdefault(name, {}), f"{name}: {kind} twice"
            assert len(about) == 1 or name == list(about)[-1], f"{name} is spread"
            about[name][kind] = value
            current = name
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        name, labels, number = sample[1], sample[2] or "", sample[sample.re.groups]
        assert name == current, f"{name} stands under {current}"
        assert about[name]["TYPE"] == "gauge"
        unit = about[name].get("UNIT")
        assert unit is None or name.endswith(f"_{unit}")
        pairs = [(k, re.sub(r'\\[\\n"]', lambda m: ESCAPES[m[0]], v))
                 for k, v in re.findall(LABEL, labels)]  # fmt: skip
        assert len(dict(pairs)) == len(pairs), f"{line}: a label twice"
        found.setdefault(name, []).append((dict(pairs), float(number)))
    return found
