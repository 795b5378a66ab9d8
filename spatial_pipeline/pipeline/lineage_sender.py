"""Sends OpenLineage events to a file or a web service, where the environment names one.

An event that cannot be sent is logged; it never ends the work that it is about.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.settings import Settings

logger = logging.getLogger("spatial_pipeline")
ENDPOINT = "/api/v1/lineage"
"""Path of the service, for an address without one."""
LIMIT_S = 5.0


@dataclass(frozen=True)
class LineageSender:
    """Where events go.

    Attributes:
        namespace: namespace of jobs and datasets.
        url: ``http(s)://…`` or ``file:///…``; may contain a secret.
        api_key: bearer token; None sends none.

    """

    namespace: str
    url: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)

    def send(self, event: dict[str, Any]) -> bool:
        """Sends one event; False, and a warning in the log, if it was not taken."""
        try:
            wrong = self._written(event) if self.url.startswith("file:") else self._posted(event)
        except OSError as exc:
            wrong = f"{type(exc).__name__}: {exc}"
        if wrong:
            kind, job = event["eventType"], event["job"]["name"]
            logger.warning("the OpenLineage event %s of %s was not sent: %s", kind, job, wrong)
        return not wrong

    def _written(self, event: dict[str, Any]) -> str:
        path = Path(unquote(urlsplit(self.url).path))
        # One write of a line: steps in other processes append to the same file.
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{json_text(event)}\n")
        return ""

    def _posted(self, event: dict[str, Any]) -> str:
        # The HTTP client is loaded where it is used.
        import httpx2

        address = urlsplit(self.url)
        url = self.url if address.path.strip("/") else address._replace(path=ENDPOINT).geturl()
        headers = {"Content-Type": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            answer = httpx2.post(url, content=json_text(event), headers=headers, timeout=LIMIT_S)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as exc:
            # Its text may have the address, and this a password.
            return type(exc).__name__
        return "" if answer.is_success else f"status {answer.status_code}"


def lineage_sender(settings: Settings) -> LineageSender | None:
    """The sender of the environment; None without ``SPATIAL_OPENLINEAGE_URL``."""
    if settings.openlineage_url is None:
        return None
    key = settings.openlineage_api_key
    return LineageSender(
        settings.openlineage_namespace,
        settings.openlineage_url.get_secret_value(),
        None if key is None else key.get_secret_value(),
    )
