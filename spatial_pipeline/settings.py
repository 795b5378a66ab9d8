"""The environment, typed and read once by whoever composes the application."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables of the form ``SPATIAL_<NAME>``; every one is optional.

    Attributes:
        store: folder that holds staged and published versions.
        allowed_sources: when set, a source must lie below one of these paths, packages
            (``package://name``) or URL prefixes; everything else is refused before any read.
        database_url: libpq URI of the PostGIS database; files only without it.
        database_pool_size: most connections of one process.
        database_acquire_timeout_s: how long to wait for a connection of a full or starting server.
        database_statement_timeout_s: longest statement, COPY and index builds included.
        alert_urls: Apprise URLs of the alert channels; see docs/alerts.md.
        ui_url: address of Dagster's UI, for links in alerts.

    """

    model_config = SettingsConfigDict(env_prefix="SPATIAL_", frozen=True)

    store: Path = Path(".spatial/store")
    allowed_sources: tuple[str, ...] | None = None
    database_url: SecretStr | None = None
    database_pool_size: int = Field(4, ge=1)
    database_acquire_timeout_s: float = Field(60.0, gt=0)
    database_statement_timeout_s: float = Field(3600.0, gt=0)
    alert_urls: SecretStr | None = None
    ui_url: str | None = None
