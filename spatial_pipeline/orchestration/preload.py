"""What every step needs, imported once before the steps of a run are forked.

Importing starts no event loop, opens no file and connects to nothing, so a fork inherits nothing
that must not be shared.
"""

from spatial_pipeline import run
from spatial_pipeline.check import catalogue

catalogue.load()

__all__ = ["run"]
