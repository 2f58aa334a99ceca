from dataclasses import asdict

import pytest

from benchharness.config import PROTOCOLS, coerce, protocol
from benchharness.errors import UserError


def test_presets_state_what_the_papers_do() -> None:
    assert {name: protocol(name).epochs for name in ("drnas", "nats", "nb201")} == {
        "drnas": 100,
        "nats": 100,
        "nb201": 50,
    }
    assert [protocol(name).clip for name in ("drnas", "nats", "nb201")] == [5.0, 0.0, 5.0]
    assert [protocol(name).nesterov for name in ("drnas", "nats", "nb201")] == [False, True, True]
    assert [protocol(name).bn_eval for name in ("drnas", "nats", "nb201")] == ["running", "batch", "running"]
    assert [protocol(name).order for name in ("drnas", "nats")] == ["alpha-first", "weights-first"]


def test_cpu_differs_from_drnas_in_scale_and_in_how_fast_alpha_moves() -> None:
    small, whole = asdict(protocol("cpu")), asdict(protocol("drnas"))
    changed = {key for key in small if small[key] != whole[key]}
    assert changed <= {
        "name",
        "epochs",
        "images",
        "channels",
        "cells",
        "ranking",
        "ranking_batches",
        "eigenvalue_every",
        "alpha_learning_rate",
    }


def test_strings_become_the_settings_own_types() -> None:
    changed = protocol("drnas", {"epochs": "3", "nesterov": "true", "learning_rate": "0.1", "order": "weights-first"})
    assert (changed.epochs, changed.nesterov, changed.learning_rate, changed.order) == (3, True, 0.1, "weights-first")
    assert protocol("drnas", {"epochs": "1e2"}).epochs == 100


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"epochs": "3.5"}, "epochs='3.5' is not a int"),
        ({"epochs": "many"}, "is not a int"),
        ({"epochs": 0}, "must be above 0"),
        ({"clip": -1}, "must be 0 or more"),
        ({"learning_rate": "nan"}, "finite"),
        ({"order": "alpha"}, "did you mean 'alpha-first'"),
        ({"nesterov": "perhaps"}, "is not a bool"),
        ({"partial": 3}, "does not divide"),
        ({"images": 100}, "smaller than a batch"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        protocol("drnas", changes)


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'nb201'"):
        protocol("nb-201")


def test_every_preset_passes_its_own_checks() -> None:
    assert all(protocol(name).name == name for name in PROTOCOLS)


@pytest.mark.parametrize(("value", "kind", "result"), [("no", bool, False), (True, bool, True), ("7", float, 7.0)])
def test_coerce(value: object, kind: type, result: object) -> None:
    assert coerce("key", value, kind) == result
