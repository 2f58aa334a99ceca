"""The field's spellings of a cell: each against the benchmark's own, in both directions where there are two."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import load_table
from benchharness.table.notation import from_naslib, is_naslib, read_cell, read_index, read_indices, to_naslib

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
CELL = space.from_string(BEST)
NODES = (
    (("nor_conv_3x3", 0),),
    (("nor_conv_3x3", 0), ("nor_conv_3x3", 1)),
    (("skip_connect", 0), ("nor_conv_3x3", 1), ("nor_conv_1x1", 2)),
)
FLAT = [pair for node in NODES for pair in node]
EDGES = dict(zip(space.EDGE_NAMES, [name for name, _ in FLAT], strict=True))
cells = st.tuples(*[st.integers(0, 4)] * 6)


class Structure:
    """As AutoDL's class prints itself."""

    def __str__(self) -> str:
        return f"Structure(4 nodes with {BEST})"


@pytest.mark.parametrize(
    "notation",
    [
        BEST,
        f"  {BEST}\n",
        CELL,
        str(Structure()),
        Structure(),
        NODES,
        str(NODES),
        [list(map(list, node)) for node in NODES],
        json.dumps(NODES),
        f"Genotype(normal={FLAT}, normal_concat=[1, 2, 3])",
        f"Genotype(normal={list(NODES)}, normal_concat=range(1, 4), reduce=[], reduce_concat=[])",
        EDGES,
        json.dumps(EDGES),
        str(dict(reversed(EDGES.items()))),
        "(2, 2, 0, 2, 2, 3)",
        [2, 2, 0, 2, 2, 3],
        np.array([2, 2, 0, 2, 2, 3]),
        "2 2 0 2 2 3",
        str(FLAT).replace("nor_conv_3x3", "ReLUConvBN3x3").replace("skip_connect", "Identity"),
    ],
)
def test_every_spelling_is_the_same_cell(notation: object) -> None:
    assert read_cell(notation) == CELL


@given(st.integers(0, space.SIZE - 1))
def test_the_short_form_is_read_back_and_takes_little_room(code: int) -> None:
    cell = space.from_code(code)
    assert read_cell(space.short(cell)) == read_cell(space.short(cell).replace("·", "*")) == cell
    assert len(space.short(cell)) <= 30


@given(cells)
def test_naslibs_numbers_there_and_back(cell: space.Arch) -> None:
    assert from_naslib(to_naslib(cell)) == cell == read_cell(str(to_naslib(cell))) == read_cell(list(to_naslib(cell)))


@given(cells)
def test_pairs_there_and_back(cell: space.Arch) -> None:
    pairs = [(space.OPS[op], source) for op, (_, source) in zip(cell, space.EDGES, strict=True)]
    assert read_cell(str((tuple(pairs[:1]), tuple(pairs[1:3]), tuple(pairs[3:])))) == cell
    assert read_cell(f"Structure(4 nodes with {space.to_string(cell)})") == cell


@pytest.mark.parametrize(
    ("notation", "sentence"),
    [
        ("", "is not an architecture; expected"),
        ("Structure(4 nodes with )", "is not an architecture"),
        ("Structure(4 nodes with |none~0|)", "is not an architecture"),
        ("(0, 1, 2, 3, 4)", "is not an architecture"),
        ("(0, 1, 2, 3, 4, 5)", "is not an architecture"),
        ("(0, 1, 2, 3, 4, 0, 0)", "is not an architecture"),
        (str(FLAT[:5]), "is not an architecture"),
        (str([*FLAT, ("none", 0)]), "is not an architecture"),
        (
            str(FLAT).replace("nor_conv_1x1', 2", "nor_conv_1x1', 1"),
            "does not give each of the six edges one operation",
        ),
        (str(FLAT).replace("nor_conv_1x1", "sep_conv_3x3"), "'sep_conv_3x3' is not an operation of NAS-Bench-201"),
        (str({**EDGES, "3<-2": "max_pool"}), "'max_pool' is not an operation"),
        (str({"1<-0": "none"}), "does not give each of the six edges"),
        ((0, 1), "is not an architecture; expected 6 operations of 0 to 4"),
        ((0, 1, 2, 3, 4, 5), "is not an architecture; expected 6 operations"),
        (None, "is not an architecture"),
        ("x" * 100_000, "has 100,000 characters"),
        ("64:64:64:64:64", "is not an architecture"),
    ],
)
def test_what_is_no_cell_is_refused(notation: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as refusal:
        read_cell(notation)
    assert len(str(refusal.value)) < 600


NODE_LISTS = [list(map(list, node)) for node in NODES]
ONE = [BEST, Structure(), NODES, NODE_LISTS, FLAT, [list(pair) for pair in FLAT], EDGES]


@pytest.mark.parametrize("index", [6111, np.int64(6111), np.array(6111), "6111", " 6111\n", "06111", np.str_("6111")])
def test_an_index_in_whatever_type(index: object) -> None:
    assert read_index(index) == read_indices([index]) == 6111


@pytest.mark.parametrize("cell", [*ONE, CELL, tuple(map(np.int64, CELL)), tuple(map(np.uint8, CELL))])
def test_a_cell_has_an_index_alone_and_in_a_list(cell: object) -> None:
    assert read_index(cell) == 6111
    assert read_indices([cell, cell]).tolist() == [6111, 6111]


@pytest.mark.parametrize("cells", [[6111], np.array([6111]), [CELL], [BEST], [NODES], [3, 3, 3, 1, 3, 2], range(2), []])
def test_a_list_is_not_one_architecture(cells: object) -> None:
    with pytest.raises(UserError, match=r"is a list of|is no index"):
        read_index(cells)


@pytest.mark.parametrize(
    "cells", [[True, "6111"], [BEST, "six"], [[1, 2], [3]], [None], [BEST, 6111.7], [BEST, [1, 2]]]
)
def test_a_list_with_anything_else_is_refused(cells: object) -> None:
    with pytest.raises(UserError):
        read_indices(cells)


@given(st.text(max_size=60))
def test_any_text_is_a_cell_or_refused(text: str) -> None:
    try:
        assert len(read_cell(text)) == 6
    except UserError:
        assert not is_naslib(text)


@pytest.mark.parametrize(
    ("numbers", "accuracy"),
    [
        ("(1, 3, 4, 3, 2, 2)", 87.88),
        ("(4, 3, 0, 3, 1, 4)", 87.2),
        ("(2, 1, 1, 0, 1, 1)", 10.0),
        ("(4, 0, 3, 1, 4, 3)", 86.1),
    ],
)
def test_naslibs_figures_are_those_of_the_table(data_folder: Path, numbers: str, accuracy: float) -> None:
    """NASLib's validation accuracies are of single trainings, at most 3 points from the table's means."""
    assert abs(float(load_table().accuracy(numbers, "cifar10", "valid")) - accuracy) < 1
