"""`opsonin worker`: what is wrong is said before anything is opened."""

from __future__ import annotations

from click.testing import CliRunner

from console.worker import worker


def test_an_unknown_role_is_refused_by_name() -> None:
    done = CliRunner().invoke(worker, ["detect", "guess"])
    assert done.exit_code == 2
    assert "expected roles of ingest, detect" in done.output
    assert "guess" in done.output


def test_no_role_at_all_is_refused() -> None:
    assert CliRunner().invoke(worker, []).exit_code == 2
