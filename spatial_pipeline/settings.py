"""The environment, typed and read once by whoever composes the application."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables of the form ``SPATIAL_<NAME>``; every one is optional.

    Attributes:
        store: folder that holds staged and published versions.
        allowed_sources: when set, a source must lie below one of these paths, packages
            (``package://name``) or URL prefixes; everything else is refused before any read.
        database_url: libpq URI of the PostGIS database; files only without it.

    """

    model_config = SettingsConfigDict(env_prefix="SPATIAL_", frozen=True)

    store: Path = Path(".spatial/store")
    allowed_sources: tuple[str, ...] | None = None
    database_url: SecretStr | None = None
