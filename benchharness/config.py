"""Search protocols: presets of all settings of a search, each of which can be changed and is recorded in the run."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from benchharness.errors import UserError, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class SearchConfig:
    """Settings of a supernet search; the defaults are the `drnas` protocol (the code of DrNAS and DARTS-PT)."""

    name: str
    epochs: int = 100
    images: int = 0
    """Most training images used, drawn by seed and halved into train and valid; 0 for all."""
    channels: int = 16
    cells: int = 5
    """Cells per stage, N in the benchmark's notation; there are three stages."""
    partial: int = 1
    """Partial channels k: 1/k of the channels pass through the mixed operations, the rest bypass them."""
    batch: int = 64
    order: str = "alpha-first"
    split: str = "halves"
    alpha_batch: str = "fresh"
    learning_rate: float = 0.025
    learning_rate_min: float = 0.001
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 3e-4
    clip: float = 5.0
    """Gradient norm at which the weights' gradient is clipped; 0 for no clipping."""
    alpha_learning_rate: float = 3e-4
    alpha_beta1: float = 0.5
    alpha_beta2: float = 0.999
    alpha_weight_decay: float = 1e-3
    bn_eval: str = "running"
    """Statistics of batch normalisation in evaluations: `running`, those of the `batch`, or `cells`: the batch's in the
    cells and before the classifier, running ones in the stem and the residual blocks."""
    eval_batch: int = 250
    """Images per batch in evaluations."""
    eigenvalue_every: int = 0
    """Epochs between measurements of the largest eigenvalue of the validation loss's Hessian in alpha; 0 for none."""
    ranking: int = 0
    """Number of architectures, drawn by seed, whose accuracy with inherited weights is measured after the search."""
    ranking_batches: int = 0
    """Number of evaluation batches on which that accuracy is measured; 0 for the whole validation half."""
    numerics: str = "float32"
    period: int = 0
    """Epochs in which the learning rate falls to its smallest value; then it rises along the cosine. 0 for all."""
    last_affine: bool = True
    """Whether the normalisation before the classifier has affine weights."""
    cells_apart: bool = False
    """Whether each cell of the network trains its own architecture if the method draws architectures at random; an
    architecture in which only `none` enters a node is redrawn."""
    cell_batch: int = 0
    """Number of images, drawn for each sampled cell, on which it is evaluated (ENAS's rewards, the best of 100) with
    the normalisation `bn_eval`. 0: batch statistics; rewards use the next validation batch, the best of 100 the same
    one."""
    cell_augmented: bool = False
    """Whether those images are augmented."""
    controller: str = "nb201"
    """As in which paper's code ENAS's controller learns: in `nats` with momentum 0.5 instead of none, and with the
    mean of an epoch's baselines as the next one's instead of the last."""


_CHOICES: Final = {
    "order": ("alpha-first", "weights-first"),
    "split": ("halves", "benchmark", "random"),
    "alpha_batch": ("fresh", "paired"),
    "bn_eval": ("running", "batch", "cells"),
    "numerics": ("float32", "tf32", "bf16"),
    "controller": ("nb201", "nats"),
}
_POSITIVE: Final = ("epochs", "channels", "cells", "partial", "batch", "eval_batch", "learning_rate")

_NATS = SearchConfig(
    name="nats",
    order="weights-first",
    split="benchmark",
    alpha_batch="paired",
    nesterov=True,
    weight_decay=5e-4,
    clip=0.0,
    bn_eval="cells",
    last_affine=False,
    cell_batch=512,
)

PROTOCOLS: Final = {
    "drnas": SearchConfig(name="drnas"),
    "nats": _NATS,
    "nb201": replace(_NATS, name="nb201", epochs=50, clip=5.0, bn_eval="running", last_affine=True),
    # Learning rates of alpha at which searches of minutes on two cores can decide: see docs/protocols.md.
    "cpu": SearchConfig(
        name="cpu",
        epochs=16,
        images=3840,
        channels=8,
        cells=1,
        alpha_learning_rate=0.004,
        eigenvalue_every=8,
        ranking=100,
        ranking_batches=2,
    ),
    # As deep as the papers' supernets and half as wide, with the constant rate of weights of the first epochs of their
    # schedule. It leans to skip connections as full-size searches do. `ranking_batches` acts only if `ranking` is set.
    "cpu-deep": SearchConfig(
        name="cpu-deep",
        epochs=10,
        images=20_000,
        channels=8,
        cells=5,
        learning_rate_min=0.025,
        alpha_learning_rate=0.001,
        ranking_batches=1,
    ),
    # For small images: the default command takes minutes with it, including the trainings of missing cells.
    "small": SearchConfig(
        name="small",
        epochs=12,
        images=3840,
        channels=4,
        cells=1,
        alpha_learning_rate=0.005,
        eigenvalue_every=12,
        ranking=100,
        ranking_batches=1,
    ),
}

_LONG: Final = {"epochs": 250}
BY_METHOD: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "nb201": {
        "gdas": _LONG,
        "rsps": _LONG,
        "setn": {**_LONG, "clip": 0.0},
        "enas": {
            **_LONG,
            "learning_rate": 0.05,
            "learning_rate_min": 0.0005,
            "period": 10,
            "batch": 128,
            "weight_decay": 2.5e-4,
            "cell_batch": 128,
            "cell_augmented": True,
        },
        "darts2": {"order": "alpha-first"},
    },
    "nats": {"rsps": {"cells_apart": True}, "enas": {"controller": "nats"}},
}
"""Settings of a preset for single methods, by the method that is trained."""
_LATER: Final = ("period", "last_affine", "cells_apart", "cell_batch", "cell_augmented", "controller")
"""Settings added later. Older runs, which had the defaults, do not record them; run ids leave their defaults out."""


def for_method(settings: SearchConfig, method: str, changed_keys: Collection[str] = ()) -> SearchConfig:
    """`settings` for `method`: those that are neither changed nor in `changed_keys` get the preset's for that method.

    The result has the name of the preset that it equals, if there is one. Raises `UserError` if settings contradict
    each other.
    """
    preset, method_settings = PROTOCOLS.get(settings.name), BY_METHOD.get(settings.name, {}).get(method, {})
    if preset is not None:
        free = {key: value for key, value in method_settings.items() if key not in changed_keys}
        free = {key: value for key, value in free.items() if getattr(settings, key) == getattr(preset, key)}
        settings = replace(settings, **free)
    _check_search_config(settings)
    return replace(settings, name=preset_name(asdict(settings), method))


def recorded_settings(settings: SearchConfig) -> dict[str, Any]:
    """The settings as a run records them."""
    defaults = SearchConfig(name=settings.name)
    values = asdict(settings)
    return {key: value for key, value in values.items() if key not in _LATER or value != getattr(defaults, key)}


def preset_name(values: Mapping[str, Any], method: str, ignoring: Collection[str] = ()) -> str:
    """Name of the preset that `values` equal for `method`, apart from settings in `ignoring`; else the name in them."""
    names = [str(values["name"]), *PROTOCOLS]
    equal = (name for name in names if name in PROTOCOLS and not departures({**values, "name": name}, method, ignoring))
    return next(equal, names[0])


def departures(values: Mapping[str, Any], method: str, ignoring: Collection[str] = ()) -> dict[str, Any]:
    """Those of the recorded `values` that differ, for `method`, from the preset they name; all if it is unknown."""
    all_values = {**{key: SearchConfig.__dataclass_fields__[key].default for key in _LATER}, **values}
    name = str(values["name"])
    preset = {**vars(PROTOCOLS[name]), **BY_METHOD.get(name, {}).get(method, {})} if name in PROTOCOLS else {}
    return {
        key: value
        for key, value in all_values.items()
        if key not in ignoring and (preset[key] != value if key in preset else key in values)
    }


def protocol(name: str, changes: Mapping[str, Any] | None = None) -> SearchConfig:
    """The preset called `name` with `changes` (values may be strings); raises `UserError` on an unknown one."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    result = with_changes(PROTOCOLS[name], changes or {})
    _check_search_config(result)
    return result


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """`settings`, a dataclass with a `name`, with `changes`; raises `UserError` on an unknown setting or bad value."""
    keys = [field.name for field in fields(settings) if field.name != "name"]
    values = {}
    for key, value in changes.items():
        if key not in keys:
            raise unknown("setting", key, keys)
        values[key] = coerce(key, value, type(getattr(settings, key)))
    return replace(settings, **values)


def check_values(values: Mapping[str, Any], choices: Mapping[str, Sequence[str]], positive: Iterable[str]) -> None:
    """Raise `UserError` if a value is not among its `choices`, below 0, not finite, or 0 though in `positive`."""
    for key, allowed in choices.items():
        if values[key] not in allowed:
            raise unknown(key, values[key], allowed)
    for key, value in values.items():
        if isinstance(value, int | float) and not (0 <= value < float("inf")):
            raise UserError(f"{key}={value} is out of range; it must be 0 or more, and finite")
        if key in positive and value == 0:
            raise UserError(f"{key}=0 is out of range; it must be above 0")


EXACT: Final = 2.0**53
"""The largest float whose neighbours are still whole numbers."""


def parse_pairs(texts: Iterable[str], noun: str, form: str) -> dict[str, str]:
    """`epochs=2 images=256` as a mapping, the last value of a key; a `UserError` names `noun` and `form` if one is no
    key=value.
    """
    pairs = [text.partition("=") for text in texts]
    for pair in pairs:
        if not all(pair):
            raise UserError(f"{''.join(pair)[:80]!r} is no {noun}; write {form}")
    return {key: value for key, _, value in pairs}


def pairs_text(values: Mapping[str, Any], separator: str = ", ") -> str:
    """`epochs=2, images=256`."""
    return separator.join(f"{key}={value}" for key, value in values.items())


def coerce(key: str, value: Any, kind: type) -> Any:
    """`value`, often a string from the command line, as a `kind` (bool, int, float or str)."""
    truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if kind is bool:
            return truth[str(value).lower()]
        if kind is int and float(value) != int(float(value)):
            raise ValueError
        if kind in (int, float) and not abs(float(value)) <= (
            EXACT if kind is int else sys.float_info.max
        ):  # nor is a NaN
            raise ValueError
        return int(float(value)) if kind is int else kind(value)
    except (ValueError, KeyError, OverflowError, TypeError):
        description = {bool: "yes or no", int: "a whole number", float: "a finite number"}.get(kind, kind.__name__)
        raise UserError(f"{key}={str(value)[:80]!r} is not {description}") from None


def _check_search_config(settings: SearchConfig) -> None:
    check_values(asdict(settings), _CHOICES, _POSITIVE)
    if settings.channels % settings.partial:
        raise UserError(f"partial={settings.partial} does not divide channels={settings.channels}")
    if settings.images and settings.images < 2 * settings.batch:
        raise UserError(f"images={settings.images} gives halves smaller than a batch of {settings.batch}")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the training of an architecture; the defaults are NAS-Bench-201's for 12 epochs (Dong & Yang 2020,
    section 2.2), except `rate_by` and `trained_on`, whose defaults are those of tables made before the choice existed.

    SGD with momentum, weight decay, and a learning rate that falls to zero along a half cosine; augmentation is the
    data set's own.
    """

    name: str = "nas-bench-201"
    epochs: int = 12
    batch: int = 256
    learning_rate: float = 0.1
    warmup: float = 0.0
    """Share of all steps in which the learning rate first rises linearly."""
    rate_by: str = "step"
    """`step`: the learning rate changes at every step. `epoch`: it changes at every epoch, as in the benchmark, whose
    last of 12 epochs therefore has 0.0017."""
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    channels: int = 16
    cells: int = 5
    """Cells per stage."""
    trained_on: str = "half"
    """`half`: train on the first half of the training images, measure on the other half (valid) and the test images.
    `benchmark`: the same, with the halves of the benchmark's split file for CIFAR-10; on other data sets as `half`.
    `whole`: train on all training images; a seed halves the test images into valid and test, except on CIFAR-10, where
    all of them are test images, as in the benchmark."""
    images: int = 0
    """Number of training images, taken from the start of the part trained on; 0 for all."""
    measured: int = 0
    """Number of images on which accuracy is measured, taken from the start of each part; 0 for all."""


_RECIPE_CHOICES: Final = {"trained_on": ("half", "benchmark", "whole"), "rate_by": ("step", "epoch")}
_RECIPE_POSITIVE: Final = ("epochs", "batch", "learning_rate", "channels", "cells")
RECIPES: Final = {
    "nas-bench-201": TrainConfig(rate_by="epoch", trained_on="benchmark"),
    "nas-bench-201-full": TrainConfig(name="nas-bench-201-full", epochs=200, rate_by="epoch", trained_on="benchmark"),
    "small": TrainConfig(
        name="small", epochs=4, batch=128, learning_rate=0.2, warmup=0.1, channels=4, cells=1, measured=5000
    ),
    "digits": TrainConfig(name="digits", epochs=1, batch=128, channels=8, cells=3, measured=5000),
}


def recipe(name: str, changes: Mapping[str, Any] | None = None) -> TrainConfig:
    """The preset called `name` with `changes` (values may be strings); raises `UserError` on an unknown one."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return checked(with_changes(RECIPES[name], changes or {}))


def checked(config: TrainConfig) -> TrainConfig:
    """`config` itself; raises `UserError` if a value is out of range."""
    check_values(asdict(config), _RECIPE_CHOICES, _RECIPE_POSITIVE)
    if config.warmup >= 1:
        raise UserError(f"warmup={config.warmup} is out of range; it is a share of all steps, below 1")
    return config
