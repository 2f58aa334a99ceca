import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.records import SCHEMA, RunRecord, RunSpec

SPEC = RunSpec("darts", "darts", "magnitude", "cifar10", 7, asdict(protocol("cpu")))
RECORD = RunRecord(SPEC.run_id, "|none~0|", SPEC.run_id, {"mixed_loss": 1.5}, {"label": "CIFAR-10"})


def test_run_ids_depend_on_every_field_and_on_nothing_else() -> None:
    others = [
        replace(SPEC, seed=8),
        replace(SPEC, dataset="cifar100"),
        replace(SPEC, trains="snas"),
        replace(SPEC, selection="strength"),
        replace(SPEC, selection_options={"tuning": 5}),
        replace(SPEC, train_options={"tau_max": 5.0}),
        replace(SPEC, source="abc"),
        replace(SPEC, protocol=asdict(protocol("cpu", {"clip": 0}))),
    ]
    assert len({SPEC.run_id, *(other.run_id for other in others)}) == 9
    shuffled = replace(SPEC, protocol=dict(reversed(list(SPEC.protocol.items()))))
    assert shuffled.run_id == SPEC.run_id
    assert len(SPEC.run_id) == 16


def test_a_run_id_is_the_same_in_every_version() -> None:
    fixed = RunSpec("darts", "darts", "magnitude", "cifar10", 7, {"name": "cpu"})
    assert fixed.run_id == "ae8011ce9ccf332e"


def test_the_split_is_part_of_a_run_that_used_one_and_of_no_other() -> None:
    assert "split_sha256" not in SPEC.to_json()
    given = replace(SPEC, split_sha256="ab" * 32)
    assert given.run_id != SPEC.run_id
    assert RunSpec.from_json(given.to_json()) == given
    record = json.dumps({**json.loads(RECORD.to_json()), "split_sha256": "ab"})
    with pytest.raises(UserError, match="split_sha256"):
        RunRecord.from_json(record)


def test_records_older_than_the_source_digest_are_read_and_written_as_they_were() -> None:
    assert "package_sha256" not in RECORD.to_json()
    assert RunRecord.from_json(RECORD.to_json()).package_sha256 == ""
    now = replace(RECORD, package_sha256="ab" * 32)
    assert RunRecord.from_json(now.to_json()) == now
    with pytest.raises(UserError, match="package_sha256"):
        RunSpec.from_json(json.dumps({**json.loads(SPEC.to_json()), "package_sha256": "ab"}))


@pytest.mark.parametrize("value", [SPEC, RECORD], ids=["spec", "record"])
def test_json_round_trip(value: RunSpec | RunRecord) -> None:
    again = type(value).from_json(value.to_json())
    assert again == value
    assert again.to_json() == value.to_json()


@pytest.mark.parametrize(("schema", "said"), [(SCHEMA + 1, "upgrade benchharness"), (0, "run it again")])
def test_other_schemas_are_refused_with_what_to_do(schema: int, said: str) -> None:
    text = json.dumps({**json.loads(SPEC.to_json()), "schema": schema})
    with pytest.raises(UserError, match=said):
        RunSpec.from_json(text)


@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        RunRecord.from_json(text)


def test_missing_fields_are_named() -> None:
    held = json.loads(RECORD.to_json())
    del held["arch"]
    with pytest.raises(UserError, match=r"\['arch'\]"):
        RunRecord.from_json(json.dumps(held))


@pytest.mark.parametrize(
    ("kind", "held", "field", "value"),
    [
        (RunSpec, SPEC, "dataset", []),
        (RunSpec, SPEC, "seed", True),
        (RunSpec, SPEC, "seed", "7"),
        (RunSpec, SPEC, "protocol", None),
        (RunRecord, RECORD, "arch", 3),
        (RunRecord, RECORD, "measures", [1]),
    ],
)
def test_values_of_another_kind_are_named(kind: type, held: RunSpec | RunRecord, field: str, value: object) -> None:
    text = json.dumps({**json.loads(held.to_json()), field: value})
    with pytest.raises(UserError, match=f"not a {kind.__name__}: {field}="):
        kind.from_json(text)  # type: ignore[attr-defined]


def test_labels_are_safe_folder_names() -> None:
    assert replace(SPEC, method="snas:tau_max=5+ostr").label == "snas_tau_max=5+ostr"
    assert "/" not in replace(SPEC, method="../../mine.py").label


def test_a_read_out_shares_all_but_the_selection() -> None:
    other = SPEC.read_out_as("ostr", "strength", {"tuning": 5})
    assert (other.trains, other.seed, other.method) == ("darts", 7, "ostr")
    assert other.run_id != SPEC.run_id
