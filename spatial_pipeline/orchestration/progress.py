"""Progress of steps that run in this process, shown by the command line while it waits for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str, str, int, int | None], None]
"""Takes the dataset with its partition, the stage of the work, pieces done and pieces planned."""
_WATCHERS: list[Show] = []


@contextmanager
def watched(show: Show) -> Iterator[None]:
    """Shows the progress of all steps of this process meanwhile, from any thread."""
    _WATCHERS.append(show)
    try:
        yield
    finally:
        _WATCHERS.remove(show)


def progress_of(
    dataset: str, partition: str | None, stage: str
) -> Callable[[int, int | None], None]:
    """A function that gets pieces done and pieces planned of one stage of a step."""
    title = dataset if partition is None else f"{dataset}[{partition}]"

    def progress(done: int, total: int | None) -> None:
        for show in tuple(_WATCHERS):
            show(title, stage, done, total)

    return progress
