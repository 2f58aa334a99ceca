"""Pages of methods: what docstrings say, options, and figures only where there are results."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from benchharness import methods
from benchharness.table import Table

SCRIPT = Path(__file__).parents[2] / "docs" / "method_pages.py"
SPEC = importlib.util.spec_from_file_location("method_pages", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
method_pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(method_pages)


def looked_up() -> pd.DataFrame:
    columns = {"method": "darts", "dataset": "cifar10", "protocol": "cpu", "images_label": "CIFAR-10 (JPEG)"}
    rows = [
        {
            **columns,
            "seed": seed,
            "arch": arch,
            "benchmark_dataset": "cifar10",
            "table_epochs": 200,
            "valid": 90.0 + seed,
            "test": test,
        }
        for seed, arch, test in ((0, "a", 93.0), (1, "b", 94.0), (2, "b", 95.0), (3, None, float("nan")))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", methods.names())
def test_a_page_tells_paper_reading_options_and_no_figure_without_results(name: str) -> None:
    text = method_pages.page(name, None)
    assert text.startswith(f"# {name}\n")
    assert methods.summary(methods.load(name)).split(":")[0] in text
    assert "hold no search by this method" in text
    for key, value in methods.options(methods.load(name)).items():
        assert f"| `{key}` | {value} |" in text


def test_figures_are_those_of_the_finished_runs_with_their_command() -> None:
    text = method_pages.page("darts", looked_up())
    assert "| `darts` | CIFAR-10 (JPEG) | cpu | cifar10 | 3 | 2 | 91.00±1.00 | 94.00±1.00 |" in text
    assert "benchharness run --methods darts --seeds 0,1,2 --dataset cifar10 --protocol cpu" in text
    assert "Accuracy after 200 epochs of training" in text
    assert "hold no search by this method" in method_pages.page("snas", looked_up())


def test_variants_of_a_method_stand_on_its_page_and_other_selections_do_not() -> None:
    runs = looked_up()
    runs = pd.concat([runs.assign(method=name) for name in ("proxy:synflow", "darts:x=1", "darts+prune")])
    assert "| `proxy:synflow` | CIFAR-10 (JPEG) | cpu | cifar10 | 3 |" in method_pages.page("proxy", runs)
    assert "benchharness run --methods proxy:synflow --seeds 0,1,2" in method_pages.page("proxy", runs)
    assert "`darts:x=1`" in method_pages.page("darts", runs)
    assert "darts+prune" not in method_pages.page("darts", runs)


def test_a_run_in_two_folders_counts_once(suite: Path, table: Table, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    method_pages.write_pages(once, [(suite, table)])
    method_pages.write_pages(twice, [(suite, table), (suite, table)])
    assert "| `darts` |" in (once / "darts.md").read_text()
    assert (twice / "darts.md").read_text() == (once / "darts.md").read_text()


def test_pages_say_what_trains_and_what_reads_out() -> None:
    assert "Supernet: that of `darts`." in method_pages.page("darts-pt", None)
    assert "Cell derived by: `prune`, metric=accuracy, order=random, tuning=5, early=1." in method_pages.page(
        "darts-pt", None
    )
    assert "second order" in method_pages.page("darts2", None)
    assert "Weights learn on cells that the controller samples" in method_pages.page("enas", None)


def test_every_method_gets_a_file(tmp_path: Path) -> None:
    files = method_pages.write_pages(tmp_path / "methods", [])
    assert {file.stem for file in files} == {*methods.names(), "table-only"}
    assert "`nb201`: 12,000 s on cifar10" in (tmp_path / "methods" / "table-only.md").read_text()
