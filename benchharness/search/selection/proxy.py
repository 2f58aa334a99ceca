"""The selection of zero-cost search, which needs no supernet: the best of many cells by a proxy."""

from dataclasses import dataclass

import numpy as np
import torch

from benchharness.errors import UserError
from benchharness.methods import Method
from benchharness.methods.proxy import Proxy as ProxyMethod
from benchharness.models import proxies
from benchharness.search.evaluation import Evaluation
from benchharness.search.selection._base import Selected, Selection
from benchharness.search.selection.direct import mean_scores
from benchharness.space import EDGES, NONE, SIZE, Arch, from_code, to_code


@dataclass(frozen=True)
class Proxy(Selection):
    """The best of many cells by the zero-cost proxy that the method `proxy` names, on one batch of training images.

    Each scored cell needs a network and one or two passes through it, so the search's cost grows with `samples`.
    """

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:
        """Derive the cell with the best score (the first of equals); an operation's score is its cells' mean score."""
        if not isinstance(method, ProxyMethod):
            raise UserError("the selection 'proxy' scores untrained networks: it works with the method `proxy` only")
        cells, stream = self.drawn(method.samples), evaluation.stream
        batch = next(stream.fixed("train", 1, method.batch))
        setting = proxies.Setting(method.channels, method.cells, stream.seed).checked()
        classes = int(stream.about["classes"])
        evaluation.expect(len(cells))
        values = np.full(len(cells), np.nan)
        for index, cell in enumerate(cells):
            values[index] = proxies.score(method.measure, cell, batch, classes, setting)
            evaluation.step()
        if np.isnan(values).all():
            raise UserError(f"{method.measure} is undefined for all of {len(cells)} cells; take more samples")
        scores = self.restricted(mean_scores(cells, values))
        codes = np.array([to_code(cell) for cell in cells])
        ranking = {"ranking_codes": codes, "ranking_scores": values}
        return Selected(cells[int(np.nanargmax(values))], scores, tuple(range(len(EDGES))), arrays=ranking)

    def drawn(self, samples: int) -> list[Arch]:
        """`samples` different cells in an order drawn with torch's global generator; 0 for all cells."""
        cells = [from_code(code) for code in torch.randperm(SIZE).tolist()]
        allowed = cells if self.none else [cell for cell in cells if NONE not in cell]
        return allowed[: samples or SIZE]
