"""The linters of these tests refuse what is wrong: one that is called in a wrong way would let everything pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WRONG = {
    "Dockerfile": ("FROM debian:latest\nRUN cd /tmp && apt-get install curl\n", "hadolint", "--failure-threshold", "style"),
    "compose.yaml": ("services:\n  one:\n    imagge: a:1\n", "check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
    "service.yaml": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: {ports: [{port: 1, targetPorrt: 2}]}\n",
        "kubernetes-validate", "--strict", "-k", "1.33",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_linter_refuses_a_wrong_file(lint: Callable[..., str], tmp_path: Path, name: str) -> None:
    text, *words = WRONG[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(AssertionError, match=r"latest|imagge|targetPorrt"):
        lint(*words, str(tmp_path / name))
