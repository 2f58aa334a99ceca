from pathlib import Path

import pytest
import torch
from scipy import stats

from benchharness import methods
from benchharness.errors import UserError
from tests.support.methods import ALPHA, draws, make_method

DRAWING = ("darts", "snas", "drnas")


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_draws_are_distributions_and_reach_every_alpha(name: str, scale: float) -> None:
    method = make_method(name, scale * ALPHA.sign())
    torch.manual_seed(1)
    drawn = method.draw(0.5)
    assert bool((drawn >= 0).all())
    torch.testing.assert_close(drawn.sum(-1), torch.ones(2))
    torch.testing.assert_close(method.expected().sum(-1), torch.ones(2))
    weights = torch.randn(2, 5)
    (gradient,) = torch.autograd.grad((weights * drawn).sum(), method.alpha)
    assert bool(gradient.isfinite().all())
    if scale == 1.0:
        assert bool((gradient != 0).all())


def test_snas_argmax_frequencies_are_the_softmax_at_any_temperature() -> None:
    for progress in (0.0, 1.0):
        argmax = draws(make_method("snas"), progress, 8000).argmax(-1)
        for edge in range(2):
            observed = torch.bincount(argmax[:, edge], minlength=5).numpy()
            expected = 8000 * ALPHA[edge].softmax(-1).double().numpy()
            assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


def test_snas_temperature_falls_linearly() -> None:
    torch.manual_seed(0)
    noise = -torch.empty(2, 5).exponential_().log()
    for progress, tau in ((0.0, 10.0), (0.5, 5.5), (1.0, 1.0)):
        expected = ((ALPHA.log_softmax(-1) + noise) / tau).softmax(-1)
        method = make_method("snas")
        torch.manual_seed(0)
        torch.testing.assert_close(method.draw(progress).detach(), expected)


def test_drnas_moments_are_the_dirichlets() -> None:
    method = make_method("drnas")
    concentration = torch.nn.functional.elu(ALPHA) + 1
    total = concentration.sum(-1, keepdim=True)
    mean = concentration / total
    variance = mean * (1 - mean) / (total + 1)
    drawn = draws(method, 0.0, 20_000)
    torch.testing.assert_close(method.expected(), mean)
    assert bool(((drawn.mean(0) - mean).abs() < 5 * (variance / 20_000).sqrt()).all())
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.1, atol=1e-3)


def test_drnas_concentration_stays_positive_where_elu_plus_one_does_not() -> None:
    alpha = torch.full((1, 5), -40.0)
    assert float((torch.nn.functional.elu(alpha) + 1).min()) == 0
    method = make_method("drnas", alpha)
    assert float(method.concentration().detach().min()) > 0
    assert bool(method.draw(0.0).isfinite().all())


def test_drnas_kl_replaces_weight_decay() -> None:
    decayed, regularised = make_method("drnas"), make_method("drnas", regulariser="kl", kl_weight=0.5)
    assert decayed.alpha_weight_decay is None
    assert decayed.penalty(ALPHA, 0.5) == 0
    assert regularised.alpha_weight_decay == 0
    flat = torch.distributions.Dirichlet(torch.ones(2, 5))
    posterior = torch.distributions.Dirichlet(torch.nn.functional.elu(ALPHA) + 1)
    expected = 0.5 * torch.distributions.kl_divergence(posterior, flat).sum()
    torch.testing.assert_close(regularised.penalty(ALPHA, 0.5), expected)
    with pytest.raises(UserError, match="did you mean 'kl'"):
        make_method("drnas", regulariser="k")


def test_pathwise_gradient_of_drnas_is_that_of_the_mean() -> None:
    method = make_method("drnas")
    weights = torch.randn(2, 5, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    sampled = torch.stack(
        [torch.autograd.grad((weights * method.draw(0.0)).sum(), method.alpha)[0] for _ in range(8000)]
    )
    (exact,) = torch.autograd.grad((weights * method.expected()).sum(), method.alpha)
    assert bool(((sampled.mean(0) - exact).abs() < 5 * sampled.std(0) / 8000**0.5 + 1e-4).all())


def test_the_first_methods_are_there_with_a_line_each() -> None:
    assert {"darts", "snas", "drnas", "ostr", "random"} <= set(methods.names())
    lines = [methods.summary(methods.load(name)) for name in methods.names()]
    assert all(20 < len(line) < 130 for line in lines)


def test_options_are_the_plain_class_attributes() -> None:
    assert methods.options(methods.load("snas")) == {"tau_max": 10.0, "tau_min": 1.0}
    assert methods.options(methods.load("darts")) == {}
    assert methods.options(methods.load("drnas")) == {"regulariser": "decay", "kl_weight": 1e-3}


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match="did you mean 'tau_max'"):
        methods.configured(methods.load("snas"), {"tau_maximum": 3})
    with pytest.raises(UserError, match="tau_max='hot' is not a finite number"):
        methods.configured(methods.load("snas"), {"tau_max": "hot"})


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'darts'"):
        methods.load("dart")


def test_a_users_own_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from benchharness import Method\n"
        "class Mine(Method):\n    '''Twice as sharp.'''\n    sharpness = 2.0\n"
        "    def expected(self):\n        return (self.sharpness * self.alpha).softmax(-1)\n"
    )
    kind = methods.load(file)
    assert methods.summary(kind) == "Twice as sharp."
    method = methods.configured(kind, {"sharpness": "3"})(6, 5)
    torch.testing.assert_close(method.draw(0.0), (3 * method.alpha).softmax(-1))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1", "defines 0 subclasses"),
        ("import nowhere_to_be_found", "does not load: ModuleNotFoundError"),
        (
            "from benchharness import Method\nclass A(Method):\n    pass\nclass B(Method):\n    pass",
            "defines 2 subclasses",
        ),
    ],
)
def test_a_file_that_is_no_method_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(UserError, match=sentence):
        methods.load(file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserError, match=r"no method file 'nowhere\.py'"):
        methods.load("nowhere.py")
