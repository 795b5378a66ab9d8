"""The suite the hard way: debug mode of asyncio, shuffled, two workers, twice on one cluster each.

Usage: python -m spatial_pipeline_tests.hard [ARGUMENTS OF PYTEST]
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict

from spatial_pipeline_tests.postgres import running_cluster

WORKERS = 2
RUNS = 2
CLUSTERS = "TEST_POSTGRES"
"""Variable with a JSON list of the clusters that the workers take instead of starting their own."""


def main() -> int:
    """Runs the suite; the seed that is told repeats an order: ``pytest --shuffle=SEED``."""
    with ExitStack() as stack:
        clusters = [stack.enter_context(running_cluster()) for _ in range(WORKERS)]
        environment = os.environ | {
            "PYTHONASYNCIODEBUG": "1",
            CLUSTERS: json.dumps([asdict(c) | {"bindir": str(c.bindir)} for c in clusters]),
        }
        for turn in range(1, RUNS + 1):
            seed = random.randrange(10**6)
            print(f"run {turn} of {RUNS}: --shuffle {seed}", flush=True)
            # In one word: pytest takes a word of its own for a path before it knows our options.
            command = [
                *(sys.executable, "-m", "pytest", "-q", f"--shuffle={seed}"),
                *("-n", str(WORKERS), "--dist=loadfile", *sys.argv[1:]),
            ]
            code = subprocess.run(command, check=False, env=environment).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
