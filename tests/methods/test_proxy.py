"""Zero-cost search: what is scored, what is derived, what its request is called, and what it costs."""

from typing import Any

import numpy as np
import pytest
import torch

from benchharness import space
from benchharness.analysis.rank_correlation import supernet_ranking
from benchharness.config import protocol
from benchharness.data import load_images
from benchharness.errors import UserError
from benchharness.models.proxies import Setting, score
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.search.loop import Search

TINY = "proxy:{}:samples=12:channels=2:cells=1:batch=8"


def specs(methods: str, seed: int = 0, **changes: Any) -> list[Any]:
    settings = protocol("small", {"epochs": 1, "images": 128, "channels": 2, **changes})
    return [spec for job in make_plan(parse_methods(methods), [seed], "digits", settings) for spec in job.specs]


def read_out(methods: str, seed: int = 0) -> tuple[Any, dict[str, np.ndarray], Search]:
    (spec,) = specs(methods, seed)
    search = Search(spec, load_images("digits"), torch.device("cpu"))
    assert search.finished
    return *search.read_out(spec), search


@pytest.mark.parametrize("measure", ["synflow", "snip", "params"])
def test_the_best_of_the_cells_drawn_is_derived(measure: str) -> None:
    record, arrays, search = read_out(TINY.format(measure))
    codes, values = arrays["ranking_codes"], arrays["ranking_scores"]
    assert len(set(codes.tolist())) == len(values) == 12
    assert record.arch == space.to_string(space.from_code(int(codes[np.nanargmax(values)])))
    batch = next(search.stream.fixed("train", 1, 8))
    scores = [score(measure, space.from_code(int(code)), batch, 10, Setting(2, 1)) for code in codes]
    assert scores == values.tolist()


def test_cells_and_weights_are_the_seeds_own() -> None:
    first, repeat, other = (read_out(TINY.format("snip"), seed)[1] for seed in (0, 0, 1))
    assert first["ranking_scores"].tolist() == repeat["ranking_scores"].tolist()
    assert first["ranking_codes"].tolist() != other["ranking_codes"].tolist()


def test_all_cells_by_count_give_the_largest() -> None:
    record, arrays, _ = read_out("proxy:params:samples=0:batch=2")
    assert len(arrays["ranking_codes"]) == space.SIZE
    assert record.arch == space.to_string((space.CONV3,) * 6)


@pytest.mark.parametrize(
    ("request_", "label"),
    [
        ("proxy:synflow", "proxy:synflow"),
        ("proxy", "proxy:synflow"),
        ("proxy:measure=synflow", "proxy:synflow"),
        ("proxy:snip:samples=7", "proxy:snip:samples=7"),
        ("proxy:zen:cells=1:batch=8", "proxy:zen:batch=8:cells=1"),
    ],
)
def test_a_request_has_one_label_and_label_is_a_request(request_: str, label: str) -> None:
    (spec,) = specs(request_)
    assert spec.method == label
    assert specs(label)[0].run_id == spec.run_id
    assert spec.trains == "proxy"


def test_two_proxies_are_two_runs_and_no_third() -> None:
    assert [spec.method for spec in specs("proxy:snip,proxy:zen")] == ["proxy:snip", "proxy:zen"]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ("proxy:snipe", "unknown proxy 'snipe'; did you mean 'snip'"),
        ("proxy:snip:zen", "'zen' in 'proxy:snip:zen' is no option; write key=value"),
        ("proxy:snip:measure=zen", "'snip' in 'proxy:snip' is no option"),
        ("proxy:snip:samples=20000", "samples=20000, batch=64: take 0"),
        ("proxy:snip:channels=0", "channels=0, cells=5: take 1 to 1024"),
        ("darts:synflow", "'synflow' in 'darts:synflow' is no option; write key=value"),
        ("random+proxy", "proxies score untrained networks; write proxy:synflow"),
        ("darts+proxy:snip", "no option"),
    ],
)
def test_requests_that_mean_nothing_are_refused(request_: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        specs(request_)


def test_its_ranking_of_whole_cells_is_compared_with_the_table() -> None:
    import pandas as pd

    record, arrays, _ = read_out(TINY.format("synflow"))
    run = {"method": "proxy:synflow", "dataset": "digits", "seed": 0, "run_id": "x", "supernet": "x", "path": None}
    ranking = supernet_ranking(pd.DataFrame([run]), None, {"x": arrays})
    assert ranking["probed"].tolist() == [12]
    assert ranking["archs"].tolist() == [0]
    assert record.measures == {}
