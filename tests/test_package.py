"""What `import benchharness` offers a notebook."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import benchharness as bh
from benchharness.errors import UserError
from benchharness.runs import runner
from benchharness.space import to_string


def test_completion_shows_what_there_is() -> None:
    wanted = {"run", "results", "compare", "report", "plots", "Table", "Method", "Selection", "cell"}
    assert wanted <= set(dir(bh))
    assert all(getattr(bh, name) is not None for name in dir(bh))


@pytest.mark.parametrize(
    ("seeds", "spelt"), [(3, "3"), (np.int64(3), "3"), ("0-2", "0-2"), (range(3), "0,1,2"), (np.arange(2), "0,1")]
)
def test_seeds_are_numbers_or_several(seeds: object, spelt: str) -> None:
    assert runner._spelt(seeds) == spelt  # type: ignore[arg-type]


def test_a_cell_by_its_index(data_folder: object) -> None:
    cell = bh.cell(6111)
    assert str(cell) == to_string(cell.arch)
    assert bh.cell(str(cell)) == bh.cell("6111") == cell
    assert cell.network(classes=7, channels=4, cells=1).eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    ax = cell.plot(plt.figure().add_subplot())
    assert "#6111" in ax.get_title() + "".join(text.get_text() for text in ax.texts)
    plt.close("all")
    with pytest.raises(UserError, match="they are 0 to 15624"):
        bh.cell(15625)


def test_a_cell_without_a_table(own_home: object) -> None:
    assert bh.cell(6111).about == {}
