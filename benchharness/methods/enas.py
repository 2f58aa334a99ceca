"""ENAS: an LSTM controller over cells with shared weights (Pham, Guan, Zoph, Le & Dean, ICML 2018)."""

from collections.abc import Callable
from statistics import fmean

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.distributions import Categorical

from benchharness.config import SearchConfig
from benchharness.data.device_images import Batch
from benchharness.errors import unknown
from benchharness.methods._base import Arch, Loss, Method, Weights
from benchharness.methods._updates import StepContext, Tallies, Update, judging, unmet

Reward = Callable[[Arch], float]


class Sampled(Update):
    """Weights learn on cells that the controller samples; after each epoch the controller learns from accuracies."""

    def step(self, train: Batch, valid: Batch, context: StepContext) -> Tallies:
        """One step of the weights on one sampled cell."""
        return torch.stack([self.step_weights(train, context), unmet(valid)])

    def finish(self, context: StepContext) -> None:
        """Train the controller; a reward is the accuracy (0 to 1) of a sampled cell on the next validation batch."""
        assert isinstance(self.method, Enas)
        if not context.alpha:
            return
        with judging(self.net, self.parts.stream) as judge:

            def reward(cell: Arch) -> float:
                """The accuracy (0 to 1) of one cell on the next validation batch."""
                _, correct, count = judge(cell).tolist()  # sync: the controller's baseline follows every reward
                return float(correct / count)

            self.method.learn(reward, self.parts.alpha_optimizer, to_mean=self.settings.controller == "nats")


class Enas(Method):
    """ENAS: an LSTM samples a cell per step; REINFORCE rewards it by accuracy; the best of 100 samples is derived.

    After each epoch the controller takes `controller_steps` steps on `controller_samples` cells each. An operation's
    embedding is the same on all edges. `baseline_moves` chooses REINFORCE's baseline. `epoch`, as in the authors' code
    for the benchmark: the reward blended into the previous epoch's baseline (in the first epoch, the accuracy alone);
    an epoch's is its last, in the protocol `nats` its mean. `reward`, as in the paper: a moving average over all
    rewards. `alpha` is not trained; it records the logarithm of every operation's exact marginal probability.
    """

    version = 2
    update = Sampled
    selection = "best"
    controller_steps = 50
    controller_samples = 20
    hidden = 32
    temperature = 5.0
    tanh_constant = 2.5
    entropy_weight = 1e-4
    baseline_decay = 0.99
    baseline_moves = "epoch"
    baseline: Tensor

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        if self.baseline_moves not in ("epoch", "reward"):
            raise unknown("baseline_moves", self.baseline_moves, ("epoch", "reward"))
        self.alpha = nn.Parameter(torch.zeros(edges, ops), requires_grad=False)
        self.start = nn.Parameter(torch.empty(1, self.hidden))
        self.lstm = nn.LSTM(self.hidden, self.hidden, num_layers=2)
        self.embedding = nn.Embedding(ops, self.hidden)
        self.head = nn.Linear(self.hidden, ops)
        for parameter in (self.start, *self.lstm.parameters(), *self.embedding.parameters(), *self.head.parameters()):
            nn.init.uniform_(parameter, -0.1, 0.1)
        self.register_buffer("baseline", torch.tensor(-1.0, dtype=torch.float64))
        self.record()

    def sampled(self, count: int) -> tuple[Integer[Tensor, "count edges"], Tensor, Tensor]:
        """`count` sampled cells, with their log-probabilities (count,) and entropies (count,)."""
        inputs, state = self.start.expand(count, -1), None
        cells, chances, entropies = [], [], []
        for _ in range(len(self.alpha)):
            logits, state = self._logits(inputs, state)
            choice = Categorical(logits=logits, validate_args=False)
            ops = choice.sample()
            cells.append(ops)
            chances.append(choice.log_prob(ops))
            entropies.append(choice.entropy())
            inputs = self.embedding(ops)
        return torch.stack(cells, 1), torch.stack(chances).sum(0), torch.stack(entropies).sum(0)

    def sample(self) -> Arch:
        """One cell sampled by the controller."""
        return tuple(self.sampled(1)[0][0].tolist())

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """One cell sampled by the controller."""
        return self.sample()

    @torch.no_grad()
    def marginals(self) -> Weights:
        """The exact probability of each operation on each edge, summed over all choices on the earlier edges."""
        inputs: Tensor = self.start
        probability, state, probabilities = self.start.new_ones(1), None, []
        for _ in range(len(self.alpha)):
            logits, state = self._logits(inputs, state)
            ops = logits.shape[1]
            joint = probability.unsqueeze(1) * logits.softmax(-1)
            probabilities.append(joint.sum(0))
            probability = joint.flatten()
            state = (state[0].repeat_interleave(ops, 1), state[1].repeat_interleave(ops, 1))
            inputs = self.embedding.weight.repeat(len(logits), 1)
        return torch.stack(probabilities)

    @torch.no_grad()
    def record(self) -> None:
        """Write the logarithms of the marginals into alpha."""
        self.alpha.copy_(self.marginals().log())

    def learn(self, reward: Reward, optimizer: torch.optim.Optimizer, to_mean: bool = False) -> None:
        """Train the controller by REINFORCE with a baseline; a step uses the mean loss of several cells.

        `to_mean`: whether the baseline of an epoch ends as the mean of those of its cells and not as the last of them.
        """
        before, baselines = float(self.baseline), []
        for _ in range(self.controller_steps):
            cells, chances, entropies = self.sampled(self.controller_samples)
            gains = []
            for cell, entropy in zip(cells.tolist(), entropies.tolist(), strict=True):
                accuracy = reward(tuple(cell))
                bonus = accuracy + self.entropy_weight * entropy
                baseline = before if self.baseline_moves == "epoch" else float(self.baseline)
                updated = baseline - (1 - self.baseline_decay) * (baseline - bonus) if baseline >= 0 else accuracy
                self.baseline.fill_(updated)
                baselines.append(updated)
                gains.append(bonus - updated)
            optimizer.zero_grad(set_to_none=True)
            (-chances * torch.tensor(gains).to(chances)).mean().backward()
            nn.utils.clip_grad_norm_(self.parameters(), 5.0)
            optimizer.step()
        if to_mean and self.baseline_moves == "epoch":
            self.baseline.fill_(fmean(baselines))
        self.record()

    def optimizer(self, settings: SearchConfig) -> torch.optim.Optimizer:
        """The controller's Adam with the method's own settings; the protocol's settings for alpha are not used."""
        momentum = 0.5 if settings.controller == "nats" else 0.0
        return torch.optim.Adam(self.parameters(), 1e-3, (momentum, 0.999), eps=1e-3)

    def _logits(
        self, inputs: Float[Tensor, "batch hidden"], state: tuple[Tensor, Tensor] | None
    ) -> tuple[Float[Tensor, "batch ops"], tuple[Tensor, Tensor]]:
        out, state = self.lstm(inputs.unsqueeze(0), state)
        return self.tanh_constant * torch.tanh(self.head(out[0]) / self.temperature), state
