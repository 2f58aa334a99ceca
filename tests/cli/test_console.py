"""Listings that are too long for a screen are printed in the same columns, only quicker."""

from pathlib import Path

import pytest

from benchharness.cli import console
from benchharness.store import Store
from tests.support.tiny import jobs


def test_long_listings_are_those_of_short_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = jobs("darts,ostr", (0, 1)), Store(tmp_path, "mine")
    console.plan(plan, store, every_run=True)
    short = capsys.readouterr().out
    monkeypatch.setattr(console, "MANY", 3)
    console.plan(plan, store, every_run=True)
    assert capsys.readouterr().out.splitlines() == [line.rstrip() for line in short.splitlines()]
