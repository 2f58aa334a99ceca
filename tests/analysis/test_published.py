from benchharness import report
from benchharness.analysis.published import comparable, elsewhere


def test_every_figure_has_a_source_and_is_in_percent() -> None:
    figures = report.published()
    assert len(figures) == 249
    assert (figures["source"] != "").all()
    assert figures["mean"].between(0, 100).all()
    assert set(figures["protocol"]) == {"", "nb201", "drnas"}
    assert set(figures["split"]) == {"valid", "test"}
    assert not figures.duplicated(["method", "dataset", "split", "source"]).any()


def test_figures_everybody_quotes() -> None:
    means = report.published().set_index(["method", "protocol", "dataset", "split"])["mean"]
    assert means["DARTS-V1", "nb201", "cifar10", "test"] == 54.3
    assert means["SNAS", "drnas", "cifar10", "test"] == 92.77
    assert means["DARTS", "drnas", "cifar100", "test"] == 38.97


def test_no_figure_of_ostr_is_published() -> None:
    assert not report.published()["method"].str.contains("ostr", case=False).any()


def test_only_rows_of_the_same_protocol_are_comparable() -> None:
    assert set(comparable("drnas")["protocol"]) == {"drnas"}
    assert comparable("cpu").empty
    others = elsewhere(["snas"], "drnas")
    assert others.empty, "its only plain figures are of that protocol"
    assert set(elsewhere(["snas", "drnas"], "nb201")["method"]) == {"SNAS", "DrNAS"}
