import itertools

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
    with pytest.raises(UserError) as error:
        space.from_string(text)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ALL_SKIP.replace("skip_connect~2", "skip_conect~2"), "did you mean 'skip_connect'"),
        (ALL_SKIP.replace("skip_connect~2", "skip_connect~1"), "write 'skip_connect~2'"),
        (ALL_SKIP.replace("|+|", "+"), "is not spelt as the benchmark does"),
        ("|none~0|", "is not an architecture"),
    ],
)
def test_errors_say_what_would_be_right(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace("|", r"\|")):
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


def test_live_edges_are_those_on_a_path_to_the_output() -> None:
    """Against every path: an edge is live where it and a way from its target to the output carry features."""
    for carries in itertools.product([False, True], repeat=6):
        carried = {pair for pair, carry in zip(space.EDGES, carries, strict=True) if carry}
        paths = [[*inner, 3] for count in range(4) for inner in itertools.combinations(range(3), count)]
        open_paths = [path for path in paths if {pair[::-1] for pair in itertools.pairwise(path)} <= carried]
        starts = {path[0] for path in open_paths}
        assert space.live_edges(carries) == [pair in carried and pair[0] in starts for pair in space.EDGES]


@pytest.mark.parametrize(
    ("op", "params", "flops"),
    [(1, 0.073306, 7.943872), (2, 0.241306, 34.117312), (3, 1.531546, 222.860992), (4, 0.073306, 15.685312)],
)
def test_costs_in_closed_form(op: int, params: float, flops: float) -> None:
    arch = np.full(6, op)
    assert space.params_m(arch) == pytest.approx(params)
    assert space.flops_m(arch) == pytest.approx(flops)
    assert space.params_m(arch, "cifar100") == pytest.approx(params + 0.00585)


SIZES = [space.Network(), space.Network(8, 1, 12, 10), space.Network(12, 2, 16, 37), space.Network(4, 3, 64, 2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("arch", [(3, 2, 0, 1, 2, 4), (3,) * 6, (0,) * 6])
def test_parameters_of_any_network_are_those_of_the_network_itself(size: space.Network, arch: space.Arch) -> None:
    from benchharness.models.standalone import Network

    net = Network(arch, size.classes, size.channels, size.cells)
    assert net.parameter_count == round(float(space.params_m(np.array(arch), size)) * 1e6)


@pytest.mark.parametrize("size", SIZES[1:])
def test_multiply_adds_of_any_network_counted_layer_by_layer(size: space.Network) -> None:
    import torch

    from benchharness.models.layers import Norm
    from benchharness.models.standalone import Bundle, Network

    net, total = Network((3,) * 6, size.classes, size.channels, size.cells), [0]

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor], outputs: torch.Tensor) -> None:
        if isinstance(module, torch.nn.Conv2d):
            total[0] += module.weight[0].numel() * outputs.numel()
            is_shortcut = module.kernel_size == (1, 1)
            total[0] += 4 * inputs[0].numel() if is_shortcut else 0 if module is net.stem else rectified[0]
        elif isinstance(module, Norm):
            total[0] += 2 * outputs.numel() + (2 * outputs.numel() if module is net.last_norm else 0)
        elif isinstance(module, torch.nn.Linear):
            total[0] += module.weight.numel()

    rectified = [0]

    def remember(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        inside = any(module is bundle.convolution for bundle in bundles)
        rectified[0] = inputs[0].numel() * (module.out_channels // module.in_channels if inside else 1)  # type: ignore[operator]

    bundles = [module for module in net.modules() if isinstance(module, Bundle)]
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(remember)
        module.register_forward_hook(count)
    net.eval()(torch.zeros(1, 3, size.pixels, size.pixels))
    assert total[0] == round(float(space.flops_m(np.full(6, 3), size)) * 1e6)


def test_the_benchmarks_own_constant_is_kept_and_nearly_counted() -> None:
    none = np.zeros(6, int)
    assert space.flops_m(none) == 7.943872
    assert space.flops_m(none, space.Network(cells=2)) == 7.943872
    assert space.flops_m(none) - space.flops_m(none, space.Network(classes=11)) == pytest.approx(0.001088 - 0.000064)


def test_costs_of_an_unknown_data_set_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'cifar10'"):
        space.params_m(np.zeros(6, int), "cifar-10")


def test_count_counts_any_of_the_given_operations() -> None:
    assert space.count(np.array([[0, 1, 2, 3, 4, 4], [3] * 6]), *space.PARAMETER_FREE).tolist() == [4, 0]
