"""DARTS-PT: architecture selection by perturbation (Wang, Cheng, Chen, Tang & Hsieh, ICLR 2021)."""

from typing import Any, ClassVar

from benchharness.methods.darts import Darts


class DartsPt(Darts):
    """DARTS-PT: the DARTS supernet; per edge, in random order, the operation whose removal hurts accuracy most stays.

    The selection includes 25 epochs of training at a tenth of the learning rate, with SGD's momentum reset: decisions
    come after 0, 5, 10, 15, 20 and, as in the authors' code, 24 of these epochs. The authors' code scores on augmented,
    freshly shuffled batches of the training's size, which is `augmented=true` here. The default is fixed images, which
    was less noisy: between four disjoint parts of the validation images, scores of one operation differed by 1.6 points
    on fixed and 2.8 on augmented images, scores of one edge's operations by 0.8 and 1.0 (standard deviations; three
    supernets, CIFAR-10, 160 images a part; `benchmarks/scoring_noise.py --set images=1280 channels=4 epochs=4`). The
    authors' search before it draws each training batch anew; here, as in their tuning, each epoch uses every image
    once. If decided edges cut an edge off, magnitude decides it.
    """

    trains_as: ClassVar[str | None] = "darts"
    selection = "prune"
    selection_options: ClassVar[dict[str, Any]] = {"metric": "accuracy", "order": "random", "tuning": 5, "early": 1}
