"""The stage ``check`` of deploy/Dockerfile, its instructions carried out in a folder.

Without an engine: the files that it copies are those that the installation needs, and what is
installed checks data by the command of the image. Users, packages of the system and the download
of dependencies are left out.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spatial_pipeline_tests.commands.projects import Project

ROOT = Path(__file__).parents[1]
HERE = ("--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
"""Options in place of an image with a network: dependencies are those of this environment."""


def stage(name: str) -> list[tuple[str, str]]:
    """Instructions of a stage: name and arguments."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    (found,) = re.findall(
        rf"^FROM \w+ AS {name}\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL
    )
    return [(w, rest) for w, _, rest in (line.partition(" ") for line in found.splitlines()) if w]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the image: ``opt/spatial`` as copied, and ``site`` as installed."""
    folder = tmp_path_factory.mktemp("image")
    (copied := folder / "opt/spatial").mkdir(parents=True)
    for instruction, arguments in stage("check"):
        words = shlex.split(arguments)
        if instruction == "COPY":
            for name in words[:-1]:
                source = ROOT / name
                if source.is_dir():
                    leave = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, copied / words[-1], ignore=leave, dirs_exist_ok=True)
                else:
                    shutil.copy(source, copied / words[-1])
        elif instruction == "RUN" and words[0] == "pip":
            command = [sys.executable, "-m", *words[:2], *HERE, "--target", folder / "site"]
            subprocess.run([*command, *words[2:]], cwd=copied, check=True, timeout=200)
    return folder


def run(image: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``docker run`` does with some arguments, in the folder that is mounted."""
    instructions = dict(stage("check"))
    entry = json.loads(instructions["ENTRYPOINT"])
    words = list(arguments) or json.loads(instructions["CMD"])
    name, _, _ = instructions["ENV"].partition("=")
    environment = {"PYTHONPATH": str(image / "site"), name: str(folder / "store")}
    program = [sys.executable, str(image / "site/bin" / entry[0])]
    return subprocess.run(
        [*program, *words], cwd=folder, env=os.environ | environment, capture_output=True,
        text=True, timeout=200, check=False,
    )  # fmt: skip


def test_the_image_checks_what_is_mounted(image: Path, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.dataset("roads", rules=[{"rule": "feature_count", "min": 3}])
    project.dataset("rivers", rules=[{"rule": "feature_count", "min": 9}])
    done = run(image, project.folder)
    assert done.returncode == 1, done.stderr
    assert "roads: passed" in done.stdout + done.stderr
    assert "rivers: held" in done.stdout + done.stderr


def test_what_is_installed_has_all_its_files(image: Path) -> None:
    """Data that modules read beside themselves are in the wheel."""
    names = {
        p.relative_to(ROOT)
        for p in (ROOT / "spatial_pipeline").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert [str(n) for n in sorted(names) if not (image / "site" / n).exists()] == []
