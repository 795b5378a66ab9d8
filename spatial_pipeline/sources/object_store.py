"""Files of an object store: listed with their sidecars, streamed to disk, resumed when cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import (
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from spatial_pipeline.contract.remote_url import RemoteUrl, admit
from spatial_pipeline.errors import SourceError, SourceLostError, SourceUnreachableError
from spatial_pipeline.sources.attempts import Attempts, attempts
from spatial_pipeline.sources.limits import Budget, TransferLimits
from spatial_pipeline.sources.sidecars import FOLDERS, candidates, wanted
from spatial_pipeline.sources.transfer_stats import Stat

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CHUNK = 1 << 20
FOREVER = timedelta(days=7)
"""Longest transfer; the wait for the next bytes is what is bounded."""
DENIED = (PermissionDeniedError, UnauthenticatedError)
CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a "
    "bucket that everybody may read",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for a bucket that "
    "everybody may read",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or "
    "AZURE_SKIP_SIGNATURE=true for a container that everybody may read",
}
"""Variables that give access to a store, by the scheme of its addresses."""
NO_CREDENTIALS = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "metadata.google.internal")
"""Services of a cloud's machines that hand out credentials: asked where nothing else gives any."""
WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect"})
_ELEMENT = {
    name: re.compile(rf"<{name}>([^<]*)</{name}>") for name in ("Code", "Message", "Region")
}
"""Parts of the answer of S3 to what it refuses."""


class BrokenError(Exception):
    """A transfer that broke off; its text may be shown."""


class StoredFiles:
    """A file of an object store and the files that travel with it.

    Credentials, regions and endpoints come from the environment variables of each store.
    """

    def __init__(
        self, remote: RemoteUrl, allowed: Sequence[str] | None, limits: TransferLimits
    ) -> None:
        admit(remote, allowed)
        if not remote.name:
            msg = f"{remote.shown}: the path must end in a file name"
            raise SourceError(msg)
        self._remote = remote
        self._limits = limits
        self._folder = remote.path.rpartition("/")[0]
        self.pages: dict[str, None] = {}
        with translated(remote):
            self._store = opened_store(remote, limits)

    def close(self) -> None:
        """Nothing stays open."""

    def stats(self) -> dict[str, Stat]:
        """The named file and its sidecars that exist, the named one first.

        Raises:
            SourceError: the named file is missing or refused.
            SourceUnreachableError: the store does not answer.

        """
        name = self._remote.name
        with translated(self._remote):
            found = {name: stat_of(self._head())}
            # What needs no sidecars is not worth a listing of its folder.
            if self._remote.member is None and candidates(name):
                found |= self._sidecars(name)
        return found

    def _head(self) -> ObjectMeta:
        """Metadata of the named file; raises with the store's reason when it refuses.

        An answer to HEAD has no body, so a store that refuses it is asked for a byte, to hear why.
        """
        try:
            return obstore.head(self._store, self._remote.path)
        except (GenericError, *DENIED) as exc:
            try:
                obstore.get_range(self._store, self._remote.path, start=0, length=1)
            except (GenericError, *DENIED) as told:
                raise told from exc
            raise

    def fetch(self, name: str, file: Path, budget: Budget, told: Callable[[int], None]) -> Stat:
        """Writes one of the files to disk; see ``WebFiles.fetch``."""
        with file.open("wb") as out:
            transfer = _ObjectTransfer(self._store, self._key(name), out, budget, told)
            try:
                for attempt in self._attempts():
                    with attempt:
                        transfer.run()
            except PreconditionError as exc:
                msg = f"{name} changed while it was read: run again"
                raise SourceLostError(msg) from exc
            except (BaseError, FileNotFoundError, BrokenError) as exc:
                reason = reason_of(exc)
                msg = f"{name}: the transfer broke off after {out.tell()} bytes: {reason}"
                raise SourceLostError(msg) from exc
            if transfer.first is None or out.tell() != transfer.first["size"]:
                msg = f"{name}: the transfer ended after {out.tell()} bytes"
                raise SourceLostError(msg)
        return stat_of(transfer.first)

    def _sidecars(self, name: str) -> dict[str, Stat]:
        names = wanted(name)
        try:
            beside = obstore.list_with_delimiter(self._store, prefix=self._folder or None)
        except DENIED:
            return self._asked(name)
        found = {PurePosixPath(o["path"]).name: stat_of(o) for o in beside["objects"]}
        return {n: found[n] for n in sorted(found) if n.casefold() in names and n != name}

    def _asked(self, name: str) -> dict[str, Stat]:
        """Sidecars of a store that may be read and not listed."""
        found = {}
        for beside in candidates(name):
            try:
                found[beside] = stat_of(obstore.head(self._store, self._key(beside)))
            except (FileNotFoundError, *DENIED):
                continue
        return found

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _attempts(self) -> Attempts:
        return attempts(BrokenError, self._limits)


class _ObjectTransfer:
    """One object on its way; what arrived is kept when the connection breaks."""

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        out: BinaryIO,
        budget: Budget,
        told: Callable[[int], None],
    ) -> None:
        self._store = store
        self._key = key
        self._out = out
        self._budget = budget
        self._told = told
        self.first: ObjectMeta | None = None

    def run(self) -> None:
        """Transfers what is missing, of the very object that the first bytes are of.

        Raises:
            BrokenError: the connection broke; what came is kept.

        """
        try:
            self._continue()
        except GenericError as exc:
            # Whoever tells of the next attempt must not tell a signed address.
            raise BrokenError(reason_of(exc)) from None

    def _continue(self) -> None:
        done = self._out.tell()
        options: GetOptions = {}
        tag = None if self.first is None else self.first["e_tag"]
        if tag is not None:
            options = {"if_match": tag}
            if done:
                options["range"] = {"offset": done}
        elif done:
            self._budget.spend(-done)
            self._told(-done)
            self._out.seek(0)
            self._out.truncate()
        result = obstore.get(self._store, self._key, options=options)
        self.first = self.first or result.meta
        self._budget.check(self._budget.spent - self._out.tell() + result.meta["size"])
        for chunk in result.stream(min_chunk_size=CHUNK):
            self._budget.spend(len(chunk))
            self._out.write(chunk)
            self._told(len(chunk))


def listed(remote: RemoteUrl, folder: str, limits: TransferLimits) -> Iterator[tuple[str, Stat]]:
    """All objects below a folder.

    Raises:
        SourceError: the folder may not be listed.
        SourceUnreachableError: the store does not answer.

    """
    with translated(remote):
        for chunk in obstore.list(opened_store(remote, limits), prefix=folder or None):
            yield from ((o["path"], stat_of(o)) for o in chunk)


def opened_store(remote: RemoteUrl, limits: TransferLimits) -> ObjectStore:
    """The bucket or container, with what its environment variables say."""
    wait = timedelta(seconds=limits.read_timeout_s)
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=limits.connect_timeout_s),
        "read_timeout": wait,
        "timeout": FOREVER,
        # Only an endpoint that the environment names as http:// is asked so.
        "allow_http": True,
    }
    retry: RetryConfig = {"max_retries": limits.attempts - 1, "retry_timeout": wait}
    if remote.scheme == "s3":
        return S3Store(remote.host, client_options=client, retry_config=retry)
    if remote.scheme == "gs":
        return GCSStore(remote.host, client_options=client, retry_config=retry)
    return AzureStore(remote.host, client_options=client, retry_config=retry)


def stat_of(meta: ObjectMeta) -> Stat:
    """Metadata of an object, the same from a listing and from a HEAD request.

    Listings tell fractions of a second and bare tags that answers to HEAD do not.
    """
    tag = meta["e_tag"]
    return Stat(
        size=meta["size"],
        etag=None if tag is None else '"' + tag.strip('"') + '"',
        modified=meta["last_modified"].replace(microsecond=0),
    )


@contextmanager
def translated(remote: RemoteUrl) -> Iterator[None]:
    """Errors of the store in our words, without addresses that are signed.

    Raises:
        SourceError: missing or refused.
        SourceUnreachableError: anything else.

    """
    try:
        yield
    except FileNotFoundError as exc:
        folder = remote.path.casefold().endswith(FOLDERS)
        msg = "does not exist" + (": a folder cannot be read from there, zip it" if folder else "")
        raise SourceError(msg) from exc
    except (BaseError, ValueError) as exc:
        reason = refusal(remote.scheme, str(exc))
        if reason or isinstance(exc, DENIED):
            msg = f"may not be read: {reason or reason_of(exc)}"
            raise SourceError(msg) from exc
        msg = f"{remote.scheme}://{remote.host} does not answer: {reason_of(exc)}"
        raise SourceUnreachableError(msg) from exc


def refusal(scheme: str, text: str) -> str:
    """The cause of an error that a setting cures, with the setting; empty for other errors.

    Args:
        scheme: of the store.
        text: all that the error says.

    """
    code = _ELEMENT["Code"].search(text)
    region = _ELEMENT["Region"].search(text) or re.search(r"expecting '([^']+)'", text)
    if (code is not None and code[1] in WRONG_REGION) or "configured region" in text:
        place = f"it is in {region[1]}: " if region is not None else ""
        return f"the bucket is in another region than AWS_REGION says: {place}set AWS_REGION"
    if any(place in text for place in NO_CREDENTIALS):
        return f"no credentials: {CREDENTIALS[scheme]}"
    if code is not None:
        told = _ELEMENT["Message"].search(text)
        return code[1] if told is None else f"{code[1]}: {told[1]}"
    return ""


def reason_of(exc: Exception) -> str:
    """The first line of an error, without parameters of addresses, which may be a signature."""
    text = next(iter(str(exc).splitlines()), "") or type(exc).__name__
    return re.sub(r"(https?://[^\s?]*)\?\S*", r"\1", text)[:300]
