import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness import space
from benchharness.errors import UserError

ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
ARCHS = st.tuples(*[st.integers(0, 4)] * 6)


@given(ARCHS)
def test_strings_and_codes_round_trip(arch: space.Arch) -> None:
    assert space.from_string(space.to_string(arch)) == arch
    assert space.from_code(space.to_code(arch)) == arch


def test_all_ops_rows_are_the_codes() -> None:
    ops = space.all_ops()
    assert ops.shape == (15_625, 6)
    assert all(space.to_code(tuple(ops[code].tolist())) == code for code in range(0, 15_625, 101))


def test_the_benchmarks_spelling() -> None:
    assert space.to_string((1,) * 6) == ALL_SKIP
    arch = space.from_string("|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
    assert arch == (3, 0, 4, 1, 2, 0)


@given(st.text(max_size=60))
def test_other_text_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError) as caught:
        space.from_string(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALL_SKIP.replace("skip_connect~2", "skip_conect~2"), "did you mean 'skip_connect'"),
        (ALL_SKIP.replace("skip_connect~2", "skip_connect~1"), "write 'skip_connect~2'"),
        (ALL_SKIP.replace("|+|", "+"), "is not spelt as the benchmark does"),
        ("|none~0|", "is not an architecture"),
    ],
)
def test_errors_say_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("|", r"\|")):
        space.from_string(text)


@pytest.mark.parametrize("code", [-1, 15_625])
def test_codes_outside_the_space_are_refused(code: int) -> None:
    with pytest.raises(UserError, match="expected 0 to 15624"):
        space.from_code(code)


def test_the_benchmark_counts_6466_functional_classes() -> None:
    classes = space.classes()
    assert len(np.unique(classes)) == 6_466
    assert np.all(classes <= np.arange(space.SIZE))
    assert np.array_equal(classes[classes], classes)


def test_classes_resolve_skips_and_zeroed_paths() -> None:
    by_skip, direct = (3, 0, 1, 0, 0, 1), (0, 3, 0, 0, 0, 1)
    assert space.class_string((0, 3, 1, 0, 0, 1)) == space.class_string((0, 3, 2, 0, 0, 1))
    assert space.class_string(by_skip) != space.class_string((1, *by_skip[1:]))
    assert space.reaches_output(direct)
    assert not space.reaches_output((1, 1, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("op", "params", "flops"),
    [(1, 0.073306, 7.943872), (2, 0.241306, 34.117312), (3, 1.531546, 222.860992), (4, 0.073306, 15.685312)],
)
def test_costs_in_closed_form(op: int, params: float, flops: float) -> None:
    arch = np.full(6, op)
    assert space.params_m(arch) == pytest.approx(params)
    assert space.flops_m(arch) == pytest.approx(flops)
    assert space.params_m(arch, "cifar100") == pytest.approx(params + 0.00585)


def test_costs_of_an_unknown_data_set_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'cifar10'"):
        space.params_m(np.zeros(6, int), "cifar-10")


def test_count_counts_any_of_the_given_operations() -> None:
    assert space.count(np.array([[0, 1, 2, 3, 4, 4], [3] * 6]), *space.PARAMETER_FREE).tolist() == [4, 0]
