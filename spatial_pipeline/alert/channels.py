"""Delivery of messages through Apprise: Slack, e-mail, Teams, PagerDuty, webhooks and more."""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import make_msgid
from typing import Any

import apprise
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.email import base as apprise_email

from spatial_pipeline.alert.message import Message
from spatial_pipeline.errors import ContractError
from spatial_pipeline.runtime.temporary import temporary_folder

# Apprise writes whole URLs into its log ("Unparseable URL …", and more at DEBUG). The sender
# reports its messages with secrets removed; they appear nowhere else.
_SAID = logging.getLogger("apprise")
_SAID.propagate = False
_SAID.setLevel(logging.WARNING)
_SAID.addHandler(logging.NullHandler())

SEND_LIMIT_S = 15.0
"""Longest that one message may take; a channel that takes longer counts as down."""
SHORTEST_SECRET = 6
_START = r"(?:[A-Za-z0-9_-]+=)?[A-Za-z0-9]+://"
_LISTED = re.compile(rf"({_START}.*?)(?=[\s,;]*$|[\s,;]+{_START})", re.DOTALL)
_NAMED = re.compile(r"([A-Za-z0-9_-]+)=([A-Za-z0-9]+://.*)", re.DOTALL)
_message_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("message_id", default=None)


@dataclass(frozen=True)
class AppriseChannel:
    """One Apprise URL.

    Attributes:
        name: name for routes and reports.
        url: the URL, secrets and all.
        limit_s: longest that sending may take.

    """

    name: str
    url: str
    limit_s: float = SEND_LIMIT_S

    def __repr__(self) -> str:
        return f"AppriseChannel({self.name!r})"

    def send(self, message: Message) -> str | None:
        """Sends in a separate thread, which is abandoned when it takes too long."""
        answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._send(message))
            except Exception as exc:  # noqa: BLE001 - whatever a plugin raises, it was not taken
                answers.put(self._scrubbed(f"{type(exc).__name__}: {exc}"))

        threading.Thread(target=work, name=f"alert-{self.name}", daemon=True).start()
        try:
            return answers.get(timeout=self.limit_s)
        except queue.Empty:
            return f"no answer within {self.limit_s:g} s"

    def _send(self, message: Message) -> str | None:
        plugin = apprise.Apprise.instantiate(
            self.url, asset=apprise.AppriseAsset(secure_logging=True), suppress_exceptions=True
        )
        if plugin is None:
            return "Apprise does not understand this URL"
        _mark(plugin, message)
        sender = apprise.Apprise()
        sender.add(plugin)
        formats = plugin.notify_format
        first = formats[0] if isinstance(formats, tuple) else formats
        html = first == apprise.NotifyFormat.HTML
        said = _Said()
        _SAID.addHandler(said)
        _message_id.set(f"<{message.id}@spatial-pipeline.alerts>")
        try:
            with _attached(message, plugin.attachment_support) as attachment:
                taken = sender.notify(
                    title=message.title,
                    body=message.html if html else message.text,
                    body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
                    notify_type=apprise.NotifyType(message.level),
                    attach=attachment,
                )
        finally:
            _SAID.removeHandler(said)
        return None if taken else self._scrubbed("; ".join(said.lines) or "refused")

    def _scrubbed(self, text: str) -> str:
        """Removes all parts of the URL from a text, except its scheme and host."""
        host = re.match(r"[^:]+://(?:[^/?@]*@)?([^:/?]*)", self.url)
        known = "" if host is None else host[1]
        scheme = self.url.partition("://")[0]
        parts = {p for p in re.split(r"[:/@?&=#,;]+", self.url) if len(p) >= SHORTEST_SECRET}
        for part in sorted(parts - {known, scheme}, key=len, reverse=True):
            text = text.replace(part, "***")
        return " ".join(text.split())[:300]


def channels(written: str | None) -> list[AppriseChannel]:
    """The channels of ``SPATIAL_ALERT_URLS``.

    Args:
        written: Apprise URLs as a JSON list, a JSON object (name: URL), or separated by commas or
            blanks, each with ``name=`` before it or not; a channel without a name is called after
            its scheme.

    Raises:
        ContractError: it is none of these, two channels have one name, or Apprise does not
            understand a URL; the URL itself is never shown.

    """
    found: list[AppriseChannel] = []
    for position, (name, url) in enumerate(_listed((written or "").strip()), start=1):
        scheme = url.partition("://")[0].lower()
        if apprise.Apprise.instantiate(url, suppress_exceptions=True) is None:
            msg = f"SPATIAL_ALERT_URLS: Apprise does not understand URL {position} ({scheme}://…)"
            raise ContractError(msg)
        taken = {c.name for c in found}
        if name in taken:
            msg = f"SPATIAL_ALERT_URLS: two channels are named {name!r}"
            raise ContractError(msg)
        free = (f"{scheme}-{i}" if i > 1 else scheme for i in range(1, len(found) + 2))
        found.append(AppriseChannel(name or next(f for f in free if f not in taken), url))
    return found


def _listed(written: str) -> list[tuple[str | None, str]]:
    if written[:1] not in ("[", "{"):
        listed = _LISTED.findall(written)
        if written and not listed:
            msg = "SPATIAL_ALERT_URLS holds no URL (scheme://…)"
            raise ContractError(msg)
        return [_named(u) for u in listed]
    try:
        value = json.loads(written)
    except ValueError as exc:
        msg = "SPATIAL_ALERT_URLS begins like JSON but is not valid JSON"
        raise ContractError(msg) from exc
    items = list(value.items()) if isinstance(value, Mapping) else [(None, v) for v in value]
    if not all(isinstance(url, str) for _, url in items):
        msg = "SPATIAL_ALERT_URLS: a JSON list or object of texts is wanted"
        raise ContractError(msg)
    return [_named(url) if name is None else (name, url) for name, url in items]


def _named(written: str) -> tuple[str | None, str]:
    named = _NAMED.fullmatch(written)
    return (named[1], named[2]) if named else (None, written)


def _mark(plugin: Any, message: Message) -> None:
    """Sets the message id, wherever the service supports one."""
    if isinstance(getattr(plugin, "headers", None), dict):
        plugin.headers.setdefault("X-Alert-Id", message.id)
    if isinstance(getattr(plugin, "payload_extras", None), dict):
        plugin.payload_extras.setdefault("alert_id", message.id)
        if isinstance(plugin, NotifyJSON):
            plugin.payload_extras.setdefault("alerts", list(message.facts))
    if hasattr(plugin, "dedup") and plugin.dedup is None:
        plugin.dedup = message.group


@contextlib.contextmanager
def _attached(message: Message, supported: bool) -> Iterator[list[str] | None]:
    """Picture and violations as files, for services that take files."""
    files = {} if message.picture is None else {"defects.png": message.picture}
    if message.attachment is not None:
        files[message.attachment.name] = message.attachment.content
    if not files or not supported:
        yield None
        return
    with temporary_folder() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        yield [str(folder / name) for name in files]


class _Said(logging.Handler):
    """Collects Apprise's log lines while a message is sent."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the line."""
        self.lines.append(record.getMessage())


def _with_our_id(make: Callable[..., str]) -> Callable[..., str]:
    def make_id(*args: Any, **kwargs: Any) -> str:
        return _message_id.get() or make(*args, **kwargs)

    return make_id


# Apprise gives every e-mail a new Message-ID and has no option to set it. A resent mail must keep
# its id, so that mail programs show it once.
apprise_email.make_msgid = _with_our_id(make_msgid)  # type: ignore[attr-defined]
