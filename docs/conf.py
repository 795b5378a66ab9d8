"""Sphinx configuration of the documentation site; see ``make site``.

Pages stay where they are and keep the links that work in a checkout, so the source folder of the
build is the root of the repository.
"""

project = "spatial_pipeline"
author = "The spatial_pipeline authors"
project_copyright = "The spatial_pipeline authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "docs/index"
include_patterns = [
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md", "deploy/README.md",
]  # fmt: skip
exclude_patterns = [".*", ".*/**"]
html_theme = "furo"
html_title = "spatial_pipeline"
html_show_sourcelink = False
myst_heading_anchors = 4
