"""What `import benchharness` offers a notebook."""

import benchharness as bh


def test_completion_shows_what_there_is() -> None:
    names = {"run", "results", "compare", "report", "plots", "Table", "Method", "Selection", "cell", "Results"}
    assert names <= set(dir(bh))
    assert all(getattr(bh, name) is not None for name in dir(bh))
