"""Snapshots of sources and the cursor of the sensors that watch them."""
