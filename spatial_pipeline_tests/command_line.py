"""``python -m spatial_pipeline_tests.command_line``: the command line of this checkout."""

from __future__ import annotations

from spatial_pipeline.cli import main

if __name__ == "__main__":
    main()
