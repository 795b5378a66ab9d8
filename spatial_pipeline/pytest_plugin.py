"""pytest plugin: async spatial tests on one loop, with a PostGIS, and with nothing blocking it.

Loaded by every pytest run of an environment that has this package: it imports nothing geospatial
until a fixture is asked for.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncpg

    from spatial_pipeline.runtime.event_loop import Blocked
    from spatial_pipeline.testing.postgis import Cluster

try:
    import pytest_asyncio
except ImportError:  # async tests are an option
    pytest_asyncio = None  # type: ignore[assignment]

MARKER = "spatial_async"
TIMEOUT = 60.0
BLOCK = 0.1
GDAL_CACHE_MB = "64"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker; gives an xdist worker caches and a store of its own."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(timeout={TIMEOUT:g}, block={BLOCK:g}): an async test on the session's loop; it "
        "fails after `timeout` seconds, or when something holds the loop for `block` seconds",
    )
    if "PYTEST_XDIST_WORKER" in os.environ:
        from spatial_pipeline.runtime.temporary import TemporaryFolder

        folder = TemporaryFolder()
        # The closure keeps the folder, which goes with its object.
        config.add_cleanup(lambda: folder.remove())
        os.environ.setdefault("GDAL_CACHEMAX", GDAL_CACHE_MB)
        os.environ["PROJ_USER_WRITABLE_DIRECTORY"] = str(folder.path)
        os.environ["CPL_TMPDIR"] = str(folder.path)
        os.environ["SPATIAL_STORE"] = str(folder.path / "store")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> None:
    """Hands the tests of our marker to pytest-asyncio, all on the session's loop."""
    if not (inspect.iscoroutinefunction(obj) and collector.funcnamefilter(name)):
        return
    marks = [m.name for m in getattr(obj, "pytestmark", [])]
    if MARKER not in marks and collector.get_closest_marker(MARKER) is None:
        return
    if pytest_asyncio is None:
        msg = f"{MARKER} needs pytest-asyncio"
        raise pytest.UsageError(msg)
    if "asyncio" not in marks:
        pytest.mark.asyncio(loop_scope="session")(obj)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Puts the time-out and the watchdog around a test of our marker."""
    marker = item.get_closest_marker(MARKER)
    if marker is not None and isinstance(item, pytest.Function):
        item.obj = _guarded(item.obj, **marker.kwargs)


def _guarded(
    test: Callable[..., Any], timeout: float = TIMEOUT, block: float = BLOCK
) -> Callable[..., Any]:
    from spatial_pipeline.runtime.event_loop import Watchdog

    @functools.wraps(test)
    async def guarded(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        seen: list[Blocked] = []
        with Watchdog(block, seen.append):
            clock = asyncio.timeout(timeout)
            try:
                async with clock:
                    await test(*args, **kwargs)
            except TimeoutError:
                if clock.expired():
                    pytest.fail(f"the test took longer than its {timeout:g} s")
                raise
        if seen:
            pytest.fail("\n".join(str(b) for b in seen))

    return guarded


@pytest.fixture(scope="session")
def spatial_postgis() -> Iterator[Cluster]:
    """A PostgreSQL server with PostGIS that lives as long as the session (of an xdist worker)."""
    from spatial_pipeline.testing.postgis import NoPostgresError, running_cluster

    try:
        with running_cluster() as cluster:
            yield cluster
    except NoPostgresError as exc:
        pytest.fail(str(exc))


@pytest.fixture(scope="session")
def spatial_dsn(spatial_postgis: Cluster) -> str:
    """The libpq DSN of a database with PostGIS for this session."""
    return spatial_postgis.dsn(spatial_postgis.new_database("spatial"))


@pytest.fixture(scope="session")
def spatial_schema(spatial_worker: str) -> str:
    """Name of the schema that ``spatial_pool`` works in; another one in every xdist worker."""
    return f"spatial_{spatial_worker}_{secrets.token_hex(3)}"


@pytest.fixture(scope="session")
def spatial_worker() -> str:
    """Name of this xdist worker, ``main`` without xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


async def _pool(spatial_dsn: str, spatial_schema: str) -> AsyncIterator[asyncpg.Pool[Any]]:
    """An asyncpg pool on the session's loop, in a schema of its own, closed at the end."""
    import asyncpg

    pool = await asyncpg.create_pool(
        spatial_dsn,
        min_size=0,
        max_size=4,
        timeout=30,
        command_timeout=60,
        server_settings={"search_path": f"{spatial_schema}, public"},
    )
    try:
        await pool.execute(f"CREATE SCHEMA {spatial_schema}")
        yield pool
        await pool.execute(f"DROP SCHEMA {spatial_schema} CASCADE")
    finally:
        await asyncio.wait_for(pool.close(), 30)


if pytest_asyncio is not None:
    spatial_pool = pytest_asyncio.fixture(
        _pool, scope="session", loop_scope="session", name="spatial_pool"
    )


@pytest.fixture(name="offload")
def _offload() -> Callable[..., Any]:
    """:func:`spatial_pipeline.runtime.event_loop.offload`."""
    from spatial_pipeline.runtime.event_loop import offload

    return offload


@pytest.fixture(name="check_rules")
def _check_rules() -> Callable[..., Any]:
    """:func:`spatial_pipeline.testing.rules.check_rules`."""
    from spatial_pipeline.testing.rules import check_rules

    return check_rules


@pytest.fixture(name="check_rules_async")
def _check_rules_async() -> Callable[..., Any]:
    """:func:`spatial_pipeline.testing.rules.check_rules_async`."""
    # An import holds the loop; here there is none yet.
    from spatial_pipeline.check.engine import catalogue
    from spatial_pipeline.testing.rules import check_rules_async

    catalogue.load()
    return check_rules_async
