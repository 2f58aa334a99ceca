"""The best of many sampled cells."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from benchharness import space
from benchharness.errors import UserError
from benchharness.search import selection
from benchharness.search.evaluation import Score
from benchharness.space import NONE
from tests.support.selections import ALPHA, COST, Linear, method_with


class Additive(Linear):
    """Accuracy is a sum over edges, so that the best of all cells is known."""

    def judged(self, cells: Sequence[tuple[int, ...]], batches: int = 1, bn: str = "batch") -> list[Score]:
        return self.cells(cells, "valid", batches, bn)

    def cells(
        self, cells: Sequence[tuple[int, ...]], data: str = "valid", batches: int = 0, bn: str = "running"
    ) -> list[Score]:
        self.asked.append((data, batches, bn))
        return [Score(0.0, 50 + float(COST[torch.arange(6), list(cell)].sum())) for cell in cells]


def test_the_most_accurate_of_the_drawn_cells_wins() -> None:
    torch.manual_seed(3)
    method = method_with()
    torch.manual_seed(3)
    cells = [method.sample() for _ in range(100)]
    best = max(cells, key=lambda cell: float(COST[torch.arange(6), list(cell)].sum()))
    torch.manual_seed(3)
    evaluation = Additive()
    selected = selection.make_selection("best", {})(method, evaluation)
    assert selected.arch == best
    assert evaluation.asked == [("valid", 1, "batch")], "all cells are measured together, as they always were"
    carrying = [cell for cell in cells if cell[2] == 3]
    expected = np.mean([50 + float(COST[torch.arange(6), list(cell)].sum()) for cell in carrying])
    assert selected.scores[2, 3] == pytest.approx(expected)


def test_the_likeliest_cells_are_those_of_largest_product() -> None:
    probabilities = ALPHA.double().softmax(-1)
    cells = selection.make_selection("best", {"pool": "likely", "samples": 50}).likely(method_with())  # type: ignore[attr-defined]
    products = probabilities[torch.arange(6), torch.tensor(space.all_ops().astype(np.int64))].prod(1)
    expected = sorted(products.tolist(), reverse=True)[:50]
    cell_products = [float(probabilities[torch.arange(6), list(cell)].prod()) for cell in cells]
    np.testing.assert_allclose(cell_products, expected, rtol=1e-5)
    assert cells[0] == tuple(ALPHA.argmax(-1).tolist())


@pytest.mark.parametrize("pool", ["drawn", "likely"])
def test_none_is_left_out_where_it_may_not_be_chosen(pool: str) -> None:
    selected = selection.make_selection("best", {"pool": pool, "none": False})(method_with(), Additive())
    assert NONE not in selected.arch
    assert np.isnan(selected.scores[:, NONE]).all()


def test_bad_options_are_named_and_a_hopeless_draw_ends() -> None:
    for changes, sentence in (({"pool": "likly"}, "did you mean 'likely'"), ({"samples": 0}, "take 1 or more")):
        with pytest.raises(UserError, match=sentence):
            selection.make_selection("best", changes)
    with pytest.raises(UserError, match="almost decided on none"):
        selection.make_selection("best", {"none": False, "samples": 1})(
            method_with(torch.eye(5)[0].repeat(6, 1) * 90), Additive()
        )
