from dataclasses import asdict
from math import cos, pi

import pytest

from benchharness import methods
from benchharness.config import (
    PROTOCOLS,
    coerce,
    departures,
    for_method,
    parse_pairs,
    protocol,
    recorded_settings,
)
from benchharness.errors import UserError
from benchharness.search.loop import _cosine


def test_presets_state_what_the_papers_do() -> None:
    assert {name: protocol(name).epochs for name in ("drnas", "nats", "nb201")} == {
        "drnas": 100,
        "nats": 100,
        "nb201": 50,
    }
    assert [protocol(name).clip for name in ("drnas", "nats", "nb201")] == [5.0, 0.0, 5.0]
    assert [protocol(name).nesterov for name in ("drnas", "nats", "nb201")] == [False, True, True]
    assert [protocol(name).bn_eval for name in ("drnas", "nats", "nb201")] == ["running", "cells", "running"]
    assert [protocol(name).order for name in ("drnas", "nats")] == ["alpha-first", "weights-first"]


def test_cpu_differs_from_drnas_in_scale_and_in_how_fast_alpha_moves() -> None:
    small, full = asdict(protocol("cpu")), asdict(protocol("drnas"))
    differing_keys = {key for key in small if small[key] != full[key]}
    assert differing_keys <= {
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


def test_of_two_values_of_one_setting_the_last_holds() -> None:
    """So a command that ends in other settings need not be taken apart."""
    assert parse_pairs(["epochs=1", "images=64", "epochs=2"], "setting", "key=value") == {"epochs": "2", "images": "64"}


def test_strings_become_the_settings_own_types() -> None:
    settings = protocol("drnas", {"epochs": "3", "nesterov": "true", "learning_rate": "0.1", "order": "weights-first"})
    assert (settings.epochs, settings.nesterov, settings.learning_rate, settings.order) == (
        3,
        True,
        0.1,
        "weights-first",
    )
    assert protocol("drnas", {"epochs": "1e2"}).epochs == 100


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"epochs": "3.5"}, "epochs='3.5' is not a whole number"),
        ({"epochs": "many"}, "is not a whole number"),
        ({"epochs": 0}, "must be above 0"),
        ({"clip": -1}, "must be 0 or more"),
        ({"learning_rate": "nan"}, "finite"),
        ({"order": "alpha"}, "did you mean 'alpha-first'"),
        ({"nesterov": "perhaps"}, "is not yes or no"),
        ({"partial": 3}, "does not divide"),
        ({"images": 100}, "smaller than a batch"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        protocol("drnas", changes)


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'nb201'"):
        protocol("nb-201")


def test_every_preset_passes_its_own_checks() -> None:
    assert all(protocol(name).name == name for name in PROTOCOLS)


@pytest.mark.parametrize(("value", "kind", "result"), [("no", bool, False), (True, bool, True), ("7", float, 7.0)])
def test_coerce(value: object, kind: type, result: object) -> None:
    assert coerce("key", value, kind) == result


LONG = {"gdas", "setn", "rsps", "enas"}


def test_nb201_has_settings_of_its_own_for_single_methods() -> None:
    """Read in the benchmark's code: epochs, ENAS's optimiser, and no clipping for SETN."""
    preset = protocol("nb201")
    epochs = {name: for_method(preset, name).epochs for name in methods.names()}
    assert {name for name, count in epochs.items() if count == 250} == LONG
    assert set(epochs.values()) == {50, 250}
    assert {name: for_method(preset, name).clip for name in ("setn", "rsps", "darts")} == {
        "setn": 0,
        "rsps": 5,
        "darts": 5,
    }
    enas = for_method(preset, "enas")
    assert (enas.learning_rate, enas.learning_rate_min, enas.period) == (0.05, 0.0005, 10)
    assert (enas.batch, enas.weight_decay, enas.clip, enas.nesterov) == (128, 2.5e-4, 5, True)
    assert {name: for_method(preset, name).order for name in ("darts", "darts2")} == {
        "darts": "weights-first",
        "darts2": "alpha-first",
    }
    assert for_method(protocol("nats"), "darts2").order == "weights-first"


def test_what_a_user_sets_holds_for_every_method() -> None:
    assert for_method(protocol("nb201", {"epochs": 3}), "gdas").epochs == 3
    assert for_method(protocol("nb201", {"epochs": "50"}), "gdas", {"epochs"}).epochs == 50
    with pytest.raises(UserError, match="batch of 128"):
        for_method(protocol("nb201", {"images": 200}), "enas")


def test_settings_that_are_a_presets_are_called_so_however_they_were_spelt() -> None:
    changes = {key: value for key, value in asdict(for_method(protocol("nb201"), "gdas")).items() if key != "name"}
    settings = for_method(protocol("drnas", changes), "gdas", changes)
    assert settings == for_method(protocol("nb201"), "gdas")
    assert for_method(protocol("drnas", changes), "darts", changes).name == "drnas", "darts has 50 epochs there"
    assert for_method(protocol("nb201", {"epochs": 250}), "gdas", {"epochs"}) == settings
    assert departures(asdict(protocol("nb201")), "gdas") == {"epochs": 50}
    assert departures(recorded_settings(settings), "gdas") == {}


def test_runs_that_lack_later_settings_had_their_defaults() -> None:
    values = recorded_settings(protocol("nats"))
    assert {"last_affine", "cell_batch"} <= set(values)
    older_values = {key: value for key, value in values.items() if key not in ("last_affine", "cell_batch")}
    assert departures(older_values, "darts") == {"last_affine": True, "cell_batch": 0}
    assert "period" not in recorded_settings(protocol("drnas"))


def test_rates_of_a_period_fall_and_rise_again() -> None:
    settings = for_method(protocol("nb201"), "enas")
    rates = [_cosine(settings, epoch) for epoch in (0, 5, 10, 15, 20, 249)]
    assert rates == pytest.approx([0.05, 0.02525, 0.0005, 0.02525, 0.05, 0.0005 + 0.02475 * (1 - cos(pi / 10))])
