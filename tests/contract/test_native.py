"""A native module that was built for other code is left alone."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from contract import native


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("OPSONIN_NATIVE", raising=False)
    module = ModuleType("opsonin_native")
    monkeypatch.setitem(sys.modules, "opsonin_native", module)
    return module


def test_a_module_of_this_interface_is_used_unless_it_is_left_out(
    built: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.INTERFACE = native.INTERFACE  # type: ignore[attr-defined]
    assert native.load() is built
    monkeypatch.setenv("OPSONIN_NATIVE", "0")
    assert native.load() is None


@pytest.mark.parametrize("other", [0, native.INTERFACE - 1, native.INTERFACE + 1, None, "1"])
def test_a_module_of_another_interface_is_none(built: ModuleType, other: object) -> None:
    built.INTERFACE = other  # type: ignore[attr-defined]
    assert native.load() is None


def test_a_module_that_says_nothing_of_it_is_none(built: ModuleType) -> None:
    assert native.load() is None


def test_the_built_module_is_of_this_interface() -> None:
    module = pytest.importorskip("opsonin_native", reason="no Rust compiler was found")
    assert module.INTERFACE == native.INTERFACE
