import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.records import SCHEMA, RunRecord, RunSpec, named_apart

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
    reordered = replace(SPEC, protocol=dict(reversed(list(SPEC.protocol.items()))))
    assert reordered.run_id == SPEC.run_id
    assert len(SPEC.run_id) == 16


def test_a_run_id_is_the_same_in_every_version() -> None:
    spec = RunSpec("darts", "darts", "magnitude", "cifar10", 7, {"name": "cpu"})
    assert spec.run_id == "ae8011ce9ccf332e"


def test_the_split_is_part_of_a_run_that_used_one_and_of_no_other() -> None:
    assert "split_sha256" not in SPEC.to_json()
    with_split = replace(SPEC, split_sha256="ab" * 32)
    assert with_split.run_id != SPEC.run_id
    assert RunSpec.from_json(with_split.to_json()) == with_split


def test_records_older_than_the_source_digest_are_read_and_written_as_they_were() -> None:
    assert "package_sha256" not in RECORD.to_json()
    assert RunRecord.from_json(RECORD.to_json()).package_sha256 == ""
    current = replace(RECORD, package_sha256="ab" * 32)
    assert RunRecord.from_json(current.to_json()) == current


@pytest.mark.parametrize("value", [SPEC, RECORD], ids=["spec", "record"])
def test_json_round_trip(value: RunSpec | RunRecord) -> None:
    copy = type(value).from_json(value.to_json())
    assert copy == value
    assert copy.to_json() == value.to_json()


@pytest.mark.parametrize(("schema", "sentence"), [(SCHEMA + 1, "upgrade benchharness"), (0, "run it again")])
def test_other_schemas_are_refused_with_what_to_do(schema: int, sentence: str) -> None:
    text = json.dumps({**json.loads(SPEC.to_json()), "schema": schema})
    with pytest.raises(UserError, match=sentence):
        RunSpec.from_json(text)


@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        RunRecord.from_json(text)


def test_missing_fields_are_named() -> None:
    fields = json.loads(RECORD.to_json())
    del fields["arch"]
    with pytest.raises(UserError, match="missing required field `arch`"):
        RunRecord.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("kind", "instance", "field", "value"),
    [
        (RunSpec, SPEC, "dataset", []),
        (RunSpec, SPEC, "seed", True),
        (RunSpec, SPEC, "seed", "7"),
        (RunSpec, SPEC, "protocol", None),
        (RunRecord, RECORD, "arch", 3),
        (RunRecord, RECORD, "measures", [1]),
    ],
)
def test_values_of_another_kind_are_named(kind: type, instance: RunSpec | RunRecord, field: str, value: object) -> None:
    text = json.dumps({**json.loads(instance.to_json()), field: value})
    with pytest.raises(UserError, match=rf"not a {kind.__name__}: Expected .*\$\.{field}`"):
        kind.from_json(text)  # type: ignore[attr-defined]


def test_a_record_that_was_changed_is_refused_and_one_from_before_seals_is_not() -> None:
    text = RECORD.to_json()
    for old, new in (("1.5", "1.25"), ("none~0", "skip_connect~0"), ("CIFAR-10", "CIFAR-100"), (SPEC.run_id, "0" * 16)):
        with pytest.raises(UserError, match="changed after it was written"):
            RunRecord.from_json(text.replace(old, new, 1))
    with pytest.raises(UserError, match="changed after it was written"):
        RunRecord.from_json(json.dumps(json.loads(text) | {"more": 1}))
    unsealed = {name: value for name, value in json.loads(text).items() if name != "sha256"}
    assert RunRecord.from_json(json.dumps(unsealed)) == RECORD


@pytest.mark.parametrize(
    "text",
    [
        *(RECORD.to_json().replace("1.5", value) for value in ("NaN", "1e999", '"1.5"', "[1.5]", "true")),
        *(RECORD.to_json().replace('"CIFAR-10"', value) for value in ('"\\ud800"', "[]", "3", "[" * 200_000)),
        *(
            "[" * 200_000,
            '{"schema":' * 200_000,
            '{"schema":1}',
            '{"schema":true}',
            '{"schema":"1"}',
            "\ufeff{}",
            "9" * 5000,
        ),
    ],
)
def test_json_of_another_type_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="not a RunRecord") as error:
        RunRecord.from_json(text)
    assert len(str(error.value)) < 300


def test_methods_of_one_name_and_different_content_are_named_apart() -> None:
    mine, edited = (replace(SPEC, method="mine", source=digit * 64) for digit in "ab")
    assert named_apart([SPEC, mine, edited, mine]) == ["darts", "mine@aaaaaa", "mine@bbbbbb", "mine@aaaaaa"]
    assert named_apart([SPEC, mine, mine]) == ["darts", "mine", "mine"]
    other = replace(edited, method="mine:tau=7.0")
    assert named_apart([mine, other]) == ["mine@aaaaaa", "mine:tau=7.0@bbbbbb"], "not the option is what differs"
    assert named_apart([mine, replace(mine, method="mine:tau=7.0")]) == ["mine", "mine:tau=7.0"]
    assert named_apart([mine, replace(edited, method="mine+ostr")]) == ["mine@aaaaaa", "mine+ostr@bbbbbb"]


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("darts:none=False", "darts:none=no"),
        ("gdas:a=True:b=False+strength:exact=False", "gdas:a=yes:b=no+strength:exact=no"),
        ("mine:word=Falsehood", "mine:word=Falsehood"),
    ],
)
def test_readers_see_truth_values_as_they_are_typed_and_ids_do_not(method: str, name: str) -> None:
    spec = replace(SPEC, method=method)
    assert spec.name == name
    assert named_apart([spec]) == [name]
    assert spec.method == method
    assert json.loads(spec.to_json())["method"] == method


def test_a_method_that_came_to_search_otherwise_is_named_apart_from_its_older_self() -> None:
    newer = replace(SPEC, versions={"method": 2})
    newer_spec = replace(SPEC, versions={"images": 2})
    assert newer.run_id != SPEC.run_id != newer_spec.run_id
    assert named_apart([SPEC, newer, newer]) == ["darts@v1", "darts@v2", "darts@v2"]
    assert named_apart([SPEC, newer_spec]) == ["darts", "darts"], "other images are told elsewhere"
    mine = replace(newer, source="a" * 64)
    assert named_apart([SPEC, mine]) == ["darts@v1", "darts@aaaaaa@v2"]


def test_labels_are_safe_folder_names() -> None:
    assert replace(SPEC, method="snas:tau_max=5+ostr").label == "snas_tau_max=5+ostr"
    assert "/" not in replace(SPEC, method="../../mine.py").label


def test_a_read_out_shares_all_but_the_selection() -> None:
    other = SPEC.read_out_as("ostr", "strength", {"tuning": 5})
    assert (other.trains, other.seed, other.method) == ("darts", 7, "ostr")
    assert other.run_id != SPEC.run_id
