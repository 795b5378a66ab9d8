"""Log lines as JSON, one object a line, for programs that collect logs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from spatial_pipeline.runtime.json_text import json_text


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: at, level, logger, message and, if any, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        value = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json_text(value, compact=True)
