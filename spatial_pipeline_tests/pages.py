"""Snippets of the pages of documentation, and what can be known of one without running it.

Every block of a page is fenced and names its kind. ``console`` shows commands after ``$`` and what
they print, ``sh`` commands only. A paragraph that ends with the name of a file and a colon names
the file that the block below it is.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from spatial_pipeline.cli import app

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>[\w{}]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"`([\w./-]+\.\w+)`:\s*$")
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
GENERATED = ("docs/rules.md", "docs/rule-table.md", "docs/commands.md", "CHANGELOG.md")
"""Pages that the code writes, and the one that nobody types from."""


@dataclass(frozen=True)
class Snippet:
    """One block of a page.

    Attributes:
        page: the page, relative to the root of the repository.
        line: line of the page on which the text begins, from 1.
        kind: language that the fence names.
        text: text of the block, without its indentation.
        before: the paragraph above it.

    """

    page: str
    line: int
    kind: str
    text: str
    before: str

    @property
    def file(self) -> str | None:
        """Name of the file that the page says it is."""
        found = FILE.search(self.before)
        return None if found is None else found[1]

    def commands(self) -> list[tuple[str, str]]:
        """Commands of a block of the console or a shell, and what each must print."""
        if self.kind == "sh":
            return [(line, "") for line in self.text.replace("\\\n", " ").splitlines() if line]
        typed = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(c, said) for c, _, said in (t.partition("\n") for t in typed)]


def pages() -> list[str]:
    """Pages that people read, relative to the root."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")]
    return sorted(str(f.relative_to(ROOT)) for f in files)


def words_of(page: str) -> str:
    """Text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def snippets(page: str, *kinds: str) -> tuple[Snippet, ...]:
    """Blocks of a page, of some kinds or all."""
    text = words_of(page)
    found = []
    for block in BLOCK.finditer(text):
        indent = len(block["indent"])
        lines = [line[indent:] for line in block["text"].splitlines()]
        above = text[: block.start()].rstrip("\n")
        found.append(
            Snippet(
                page=page,
                line=text.count("\n", 0, block.start("text")) + 1,
                kind=block["kind"],
                text="\n".join(lines) + "\n",
                before=" ".join(above.rpartition("\n\n")[2].split()),
            )
        )
    return tuple(s for s in found if not kinds or s.kind in kinds)


def inline(page: str) -> list[tuple[int, str]]:
    """Line and text of every piece of code within a sentence."""
    text = BLOCK.sub(lambda b: "\n" * b[0].count("\n"), words_of(page))
    return [(text.count("\n", 0, m.start()) + 1, m[1]) for m in INLINE.finditer(text)]


@dataclass(frozen=True)
class Command:
    """One command of a page.

    Attributes:
        environment: variables before it.
        words: program and arguments, without redirection.
        output: file that stdout goes to.

    """

    environment: dict[str, str]
    words: list[str]
    output: str | None

    @classmethod
    def of(cls, text: str) -> Command:
        """The command of one line; ``>`` is the only operator that it may have."""
        words = shlex.split(text, comments=True)
        environment = {}
        while words and re.match(r"\w+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        output = None
        if ">" in words:
            words, (output,) = words[: words.index(">")], words[words.index(">") + 1 :]
        return cls(environment, words, output)


def parse(text: str) -> None:
    """Has a command's own program read its options and arguments; it does nothing.

    Raises:
        AssertionError: no such program, option, target or module.

    """
    for part in re.split(r" && | \| ", text):
        words = Command.of(part.removesuffix("&")).words
        if words:
            PROGRAMS[Path(words[0]).name](words[1:])


def _click(command: Any, words: Sequence[str]) -> None:
    """Options as the library of the command line reads them, down to the subcommand."""
    try:
        context = command.make_context(command.name or "command", list(words))
        if hasattr(command, "resolve_command"):
            left = [*getattr(context, "_protected_args", ()), *context.args]
            _, below, rest = command.resolve_command(context, left)
            _click(below, rest)
    except (typer.Exit, SystemExit):
        return
    except Exception as exc:
        message = f"{' '.join(words)}: {getattr(exc, 'message', None) or exc}"
        raise AssertionError(message) from exc


def _ours(words: Sequence[str]) -> None:
    _click(typer.main.get_command(app), words)


def _other(module: str, name: str, *, make: bool = True) -> Callable[[Sequence[str]], None]:
    def read(words: Sequence[str]) -> None:
        found = getattr(importlib.import_module(module), name)
        _click(found() if make else found, words)

    return read


def _dask(words: Sequence[str]) -> None:
    command = {"scheduler": "dask_scheduler", "worker": "dask_worker"}[words[0]]
    _other(f"distributed.cli.{command}", "main", make=False)(words[1:])


def _make(words: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, equals, _ = word.partition("=")
        known = rf"\$[({{]?{name}\b" if equals else rf"^{name}:"
        assert re.search(known, makefile, re.MULTILINE), f"make {word}"


def _pip(words: Sequence[str]) -> None:
    from pip._internal.commands import create_command

    _, left = create_command(words[0]).parse_args(list(words[1:]))
    extras = {e for w in left for e in re.findall(r"\[(.*)\]", w)}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{e} = \[", project, re.MULTILINE) for e in extras), words


def _python(words: Sequence[str]) -> None:
    if words[0] == "-m":
        name = words[1]
        path = ROOT / (name.replace(".", "/") + ".py")
        assert path.exists() or importlib.util.find_spec(name) is not None, name
    else:
        path = ROOT / words[0]
        assert path.exists(), path
    options = [w.partition("=")[0] for w in words[2:] if w.startswith("--")]
    if path.exists():
        text = path.read_text(encoding="utf-8")
        missing = [o for o in options if f'"{o}"' not in text and o not in text]
        assert not missing, (words, missing)


def _files(words: Sequence[str]) -> None:
    """A program of others: the files of this repository that it is given exist."""
    named = [w for w in words if re.match(r"(deploy|docs|spatial_pipeline)/", w)]
    assert all((ROOT / n).exists() for n in named), named


PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "spatial-pipeline": _ours,
    "dagster": _other("dagster._cli", "create_dagster_cli"),
    "dagster-daemon": _other("dagster._daemon.cli", "create_dagster_daemon_cli"),
    "dagster-webserver": _other("dagster_webserver.cli", "dagster_webserver", make=False),
    "dg": _other("dagster_dg_cli.cli", "create_dg_cli"),
    "dask": _dask,
    "make": _make,
    "pip": _pip,
    "python": _python,
    **dict.fromkeys(
        ("cp", "docker", "export", "grep", "kubectl", "mkdir", "tar", "touch", "uvx"), _files
    ),
}
"""Programs that pages name, each with a reader of its options."""
