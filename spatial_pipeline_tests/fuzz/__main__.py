"""The longer run: ``python -m spatial_pipeline_tests.fuzz [FORMAT…] --files 2000 --seed 0``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from spatial_pipeline_tests.fuzz import harness


def main() -> int:
    """Fuzzes the formats named, or all; prints how the files ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", help=", ".join(harness.formats()))
    parser.add_argument("--files", type=int, default=2000, help="files a format")
    parser.add_argument("--seed", type=int, default=0, help="number of the first file")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = False
    for name in given.formats or list(harness.formats()):
        module = import_module(f"spatial_pipeline_tests.fuzz.{name}")
        seeds = range(given.seed, given.seed + given.files)
        with tempfile.TemporaryDirectory() as folder:
            report = harness.run(module, seeds, Path(folder))
        ends = {k: report.ends[k] for k in (harness.EQUAL, harness.NAMED, harness.FALSE)}
        print(name, ", ".join(f"{count} {end}" for end, count in ends.items()))
        for failure in report.failures[:20]:
            print("  ", failure)
        failed |= bool(report.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
