"""Methods with alphas of known values, and their draws."""

import torch

from benchharness import methods
from benchharness.methods import Method

ALPHA = torch.tensor([[0.5, -1.0, 0.2, 1.5, 0.0], [-3.0, 2.0, 0.1, 0.0, 0.3]])


def make_method(name: str, alpha: torch.Tensor = ALPHA, **options: object) -> Method:
    method = methods.configured(methods.load(name), options)(*alpha.shape)
    with torch.no_grad():
        method.alpha.copy_(alpha)
    return method


def draws(method: Method, progress: float, count: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.stack([method.draw(progress).detach() for _ in range(count)])
