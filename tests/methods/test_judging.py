"""How sampled cells are judged, and drawn, under each protocol."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from benchharness.config import for_method, protocol, recorded_settings
from benchharness.data.device_images import Batch
from benchharness.methods._updates import StepContext, judging
from benchharness.models.layers import Norm
from benchharness.search import selection
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Search
from benchharness.space import EDGES, NONE, SIZE, from_code
from tests.support.searches import CPU, TINY, search_of
from tests.support.sets import small_images

CELLS = [from_code(code) for code in (1462, 7284, 15000)]


def under(preset: str, method: str, **changes: object) -> Search:
    """A search of `method` with the settings that the preset has for it."""
    settings = for_method(protocol(preset, {**TINY, **changes}), method, {**TINY, **changes})
    spec = replace(search_of(method).spec, protocol=recorded_settings(settings))
    return Search(spec, small_images(), CPU)


def judged_batches(search: Search, monkeypatch: pytest.MonkeyPatch, cells: int) -> list[tuple[Batch, set[str]]]:
    """The batches that so many cells are judged on, and which normalisations use the batch's statistics."""
    batches = []

    def one_hot(images: torch.Tensor, cell: tuple[int, ...]) -> torch.Tensor:
        norms = {name for name, module in search.net.named_modules() if isinstance(module, Norm)}
        batch_norms = {name for name in norms if search.net.get_submodule(name).batch_statistics}
        batches.append((images, {name.split(".")[0] for name in batch_norms}))
        return torch.zeros(len(images), 10)

    monkeypatch.setattr(search.net, "one_hot", one_hot)
    with judging(search.net, search.stream) as judge:
        counts = [int(judge(CELLS[0])[2]) for _ in range(cells)]
    assert counts == [len(images) for images, _ in batches]
    return batches  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("preset", "method", "size", "by_batch"),
    [
        ("nb201", "rsps", 512, set()),
        ("nb201", "enas", 128, set()),
        ("nats", "enas", 512, {"stages", "last_norm"}),
        ("drnas", "enas", 64, {"stages", "last_norm", "stem_norm", "blocks"}),
    ],
)
def test_images_and_statistics_by_which_cells_are_judged(
    preset: str, method: str, size: int, by_batch: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = for_method(protocol(preset), method)
    assert (settings.cell_batch or settings.batch) == size
    batches = judged_batches(under(preset, method, cell_batch=settings.cell_batch and 40, batch=40), monkeypatch, 8)
    assert [len(images) for images, _ in batches] == [40] * 5 + [40] * 3
    assert all(batch_norms == by_batch for _, batch_norms in batches)
    is_repeated = torch.equal(batches[0][0], batches[5][0])
    assert is_repeated == (preset == "drnas"), "a new pass is shuffled anew where each cell has images of its own"


@pytest.mark.parametrize("augmented", [True, False])
def test_shuffled_batches_hold_every_image_once_moved_or_as_it_is(augmented: bool) -> None:
    stream = search_of("darts").stream
    torch.manual_seed(0)
    batches = list(stream.shuffled("valid", 64, augmented))
    ordered_images = torch.cat([batch.images for batch in stream.fixed("valid")])
    assert [len(batch.labels) for batch in batches] == [64, 64, 64, 8]
    shuffled_images = torch.cat([batch.images for batch in batches])
    assert not torch.equal(shuffled_images, ordered_images)
    sums = [torch.sort(images.sum((1, 2, 3))).values for images in (shuffled_images, ordered_images)]
    assert torch.allclose(*sums, rtol=1e-5) != augmented


def test_the_best_of_sampled_cells_is_judged_on_images_of_its_own() -> None:
    """Each score is that of its cell on the batch that the generator gives it, by running statistics."""
    search = under("nb201", "rsps", cell_batch=40)
    search.run_epoch()
    evaluation = Evaluation(search.net, search.stream)
    torch.manual_seed(5)
    scores = evaluation.judged(CELLS)
    torch.manual_seed(5)
    for score, cell, batch in zip(scores, CELLS, search.stream.shuffled("valid", 40, False), strict=False):
        with search.net.evaluating(), torch.no_grad():
            logits = search.net.one_hot(batch.images, cell)
        assert score.loss == pytest.approx(float(F.cross_entropy(logits, batch.labels)), rel=1e-4)
        assert score.accuracy_pct == pytest.approx(float((logits.argmax(1) == batch.labels).float().mean()) * 100)


def test_the_best_is_found_so_under_a_protocol_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    search = under("nats", "rsps", cell_batch=40)
    counts = []
    evaluation = Evaluation(search.net, search.stream)
    monkeypatch.setattr(evaluation, "cells", None)
    original = evaluation.judged
    monkeypatch.setattr(evaluation, "judged", lambda cells, *how: counts.extend(cells) or original(cells, *how))
    selected = selection.make_selection("best", {"samples": 7})(search.method, evaluation)
    assert selected.arch in counts
    assert len(counts) == 7


def test_evaluation_by_the_cells_statistics_leaves_stem_and_blocks_to_running_ones() -> None:
    search = search_of("darts")
    search.run_epoch()
    net = search.net
    batch = next(search.stream.fixed("valid"))
    stem, block = net.stem_norm, net.blocks[0].first_norm
    outputs, inputs = {}, {}

    def hook(name: str, module: object, x: tuple[torch.Tensor, ...], y: torch.Tensor) -> None:
        outputs[name], inputs[name] = y, x[0]

    for name, module in (("stem", stem), ("block", block), ("last", net.last_norm)):
        module.register_forward_hook(partial(hook, name))
    with net.evaluating("cells"), torch.no_grad():
        net.one_hot(batch.images, CELLS[0])
    for name, module in (("stem", stem), ("block", block)):
        running = (module.running_mean, module.running_var, module.weight, module.bias, False, 0.1, 1e-5)
        torch.testing.assert_close(outputs[name], F.batch_norm(inputs[name], *running))
    last = net.last_norm
    expected = F.batch_norm(inputs["last"], None, None, last.weight, last.bias, True, 0.1, 1e-5)
    torch.testing.assert_close(outputs["last"], expected)
    assert not any(module.batch_statistics for module in net.modules() if isinstance(module, Norm)), "as it was"


def test_rsps_trains_a_cell_of_its_own_in_every_cell_of_the_network_under_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    cells_by_step = []
    search = under("nats", "rsps", cells=3)
    forward = search.net.one_hot
    monkeypatch.setattr(
        search.net, "one_hot", lambda images, cells: cells_by_step.append(cells) or forward(images, cells)
    )
    batches = list(search.stream.epoch(0))
    torch.manual_seed(0)
    for _ in range(40):
        search.update.step(*batches[0], StepContext(0.0, alpha=False))  # type: ignore[union-attr]
    assert all(len(cells) == 9 for cells in cells_by_step)
    every = np.array([cell for cells in cells_by_step for cell in cells])
    assert len(np.unique(every, axis=0)) > 300
    entering = [[e for e, (target, _) in enumerate(EDGES) if target == node] for node in (1, 2, 3)]
    for into in entering:
        choices = every[:, into]
        assert (choices != NONE).any(1).all(), "no node gets none alone"
        rest = [ops for ops in product(range(5), repeat=len(into)) if any(ops)]
        counts = [int((choices == ops).all(1).sum()) for ops in rest]
        assert sum(counts) == len(every)
        assert stats.chisquare(counts).pvalue > 1e-3, "all others are equally likely"


def test_elsewhere_one_cell_is_trained_throughout() -> None:
    for preset in ("nb201", "drnas"):
        assert not for_method(protocol(preset), "rsps").cells_apart
    assert not for_method(protocol("nats"), "setn").cells_apart


@pytest.mark.parametrize(("preset", "count"), [("nats", 1_686_106 - 128), ("nb201", 1_686_106)])
def test_the_last_normalisation_has_weights_by_protocol(preset: str, count: int) -> None:
    search = under(preset, "darts", channels=16, cells=5)
    assert sum(weight.numel() for weight in search.net.parameters()) == count


def test_a_cell_for_each_cell_of_the_network_is_what_each_computes() -> None:
    net = search_of("rsps").net
    images = torch.randn(4, 3, 16, 16)
    cells = [from_code(code) for code in (5, SIZE - 1, 777)]
    with net.evaluating(), torch.no_grad():
        each = iter(cells)
        expected = net.through(images, lambda mixed, x: mixed.one_hot(x, next(each)))  # type: ignore[operator]
        assert torch.equal(net.one_hot(images, cells), expected)
        assert torch.equal(net.one_hot(images, [cells[0]] * 3), net.one_hot(images, cells[0]))
