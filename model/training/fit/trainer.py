"""The training loop: phase by phase, with a checkpoint after each epoch from which an interrupted run continues."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from model.image.preprocess import FLOAT_RGB
from model.tflite.card import ModelCard, voc_palette
from model.training import cli
from model.training.cli import CommandError
from model.training.data.augment import Mixture
from model.training.data.batches import MEAN, STD, Pairs, batches_per_epoch
from model.training.data.samples import Sample
from model.training.fit import history, initial_weights, losses
from model.training.fit.optimizer import AdamWithSlowEncoder
from model.training.fit.schedule import Phase, ema_momentum
from model.training.measure import evaluation
from model.training.measure.evaluation import Candidate, Evaluation
from model.training.nets import fake_quantization, fused_batch_norm, imagenet_weights, network

CHECKPOINT_FILE = "checkpoint.npz"
WEIGHT_DECAY = 0.02  # times the learning rate
WARM_UP_STEPS = 100  # over which the learning rate rises, or over a tenth of the steps if those are fewer


@dataclass(frozen=True)
class TrainingRun:
    """The parameters of a training run.

    Attributes:
        out: The folder of its checkpoint, history, curves and models.
        classes: Channels of the output; 1 for one object class against the background.
        seed: Seed of all random numbers.
        train: The photos to train on.
        validation: The photos held out, to evaluate on.
        phases: The phases in order.
        card: The model card of the models that are saved.
        every: Number of epochs from one evaluation to the next.
        weights: Models of this network, .h5 or .tflite, from the mean of which to start; none for ImageNet weights.
        mixture: The shares of composed scenes, mosaics and scenes without an object.
        fresh_encoder: Whether the encoder has its ImageNet weights again, and `weights` only those of the decoder.
    """

    out: Path
    classes: int
    seed: int
    train: Sequence[Sample]
    validation: Sequence[Sample]
    phases: Sequence[Phase]
    card: ModelCard
    every: int = 5
    weights: Sequence[Path] = ()
    mixture: Mixture = field(default_factory=Mixture)
    fresh_encoder: bool = False

    def fingerprint(self) -> str:
        """Return the parameters, as JSON, that must be those of a checkpoint for the run to continue from it."""
        names = sorted(sample.name for sample in self.train)
        weights, phases = [str(file) for file in self.weights], [vars(phase) for phase in self.phases]
        return json.dumps([self.classes, self.seed, weights, names, phases, vars(self.mixture), self.fresh_encoder])


def fit(run: TrainingRun) -> None:
    """Train through all phases, starting from the checkpoint if there is one.

    Args:
        run: The run; its folder then holds the models, history.csv, curves.png and the checkpoint.

    Raises:
        CommandError: If the checkpoint belongs to a run with other parameters.
    """
    keras.utils.set_random_seed(run.seed)
    epoch, arrays = read_checkpoint(run)
    if epoch == run.phases[-1].end_epoch:
        return
    previous: keras.Model | None = None
    for phase in run.phases:
        if epoch > phase.end_epoch:
            continue
        model = compiled(build_model(run, phase, previous), run, phase)
        if phase.first_epoch < epoch:
            for variable, array in zip(_variables(model), arrays, strict=True):
                variable.assign(array)
        if epoch < phase.end_epoch:
            fit_phase(model, run, phase, max(epoch, phase.first_epoch))
        else:
            model.optimizer.finalize_variable_values(model.trainable_variables)
        previous = model


def compiled(model: keras.Model, run: TrainingRun, phase: Phase) -> keras.Model:
    """Compile a phase's model and return it.

    The optimizer is AdamW with a cosine decay (Loshchilov and Hutter 2017, 2019) and an exponential moving average of
    the weights.
    """
    steps = (phase.end_epoch - phase.first_epoch) * batches_per_epoch(run.train)
    warm_up = min(WARM_UP_STEPS, math.ceil(steps / 10))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.peak_rate, warmup_steps=warm_up
    )
    optimizer = AdamWithSlowEncoder(
        rate,
        encoder_rate=phase.encoder_rate,
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=5.0,
        use_ema=True,
        ema_momentum=ema_momentum(phase.ema_momentum, steps),
    )
    model.compile(optimizer, losses.object_loss if run.classes == 1 else losses.class_loss, jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def fit_phase(model: keras.Model, run: TrainingRun, phase: Phase, epoch: int) -> None:
    """Train a compiled model from an epoch to the end of its phase."""
    pairs = Pairs(run.train, phase.size_px, run.classes, run.seed, epoch, run.mixture)
    verbose = "auto" if sys.stderr.isatty() else 2
    model.fit(pairs, initial_epoch=epoch, epochs=phase.end_epoch, callbacks=[Checkpointer(run, phase)], verbose=verbose)


def save_mean(run: TrainingRun) -> None:
    """Save the mean of the run's initial weights without training, and print its IoU.

    Args:
        run: A run with `weights`.

    Raises:
        CommandError: If one of the weights belongs to another network.
    """
    size_px = run.phases[-1].size_px
    model = network.build(size_px, run.classes)
    load_initial_weights(model, run, size_px)
    result = evaluate_model(model, size_px, run)
    print(f"mean of {len(run.weights)} models: iou {result.iou:.4f}", flush=True)
    with cli.atomic_path(run.out / run.phases[-1].model_file) as partial:
        model.save(partial, include_optimizer=False)


def build_model(run: TrainingRun, phase: Phase, previous: keras.Model | None) -> keras.Model:
    """Build a phase's model with the weights of the previous phase, or else with the run's initial weights."""
    model = network.build(phase.size_px, run.classes)
    if previous is not None:
        model.set_weights(previous.get_weights())
    else:
        load_initial_weights(model, run, phase.size_px)
    if phase.form == "batch_norm":
        return fused_batch_norm.fused(model)
    model = fake_quantization.folded(model)
    return fake_quantization.fake_quantized(model) if phase.form == "fake_quantized" else model


def load_initial_weights(model: keras.Model, run: TrainingRun, size_px: int) -> None:
    """Load the mean of the run's `weights`, if it has any, into a network with batch normalization.

    Without them, and if the encoder is to be fresh, the encoder gets the ImageNet weights.
    """

    def draw_photos() -> NDArray[np.float32]:
        pairs = Pairs(run.train, size_px, run.classes, run.seed)
        return np.concatenate([pairs[i][0] for i in range(min(2, len(pairs)))])

    if run.weights:
        initial_weights.load_mean(model, run.weights, draw_photos)
    if run.fresh_encoder or not run.weights:
        network.load_imagenet(model, imagenet_weights.read(imagenet_weights.path()))


def read_checkpoint(run: TrainingRun) -> tuple[int, list[Any]]:
    """Read the checkpoint.

    Args:
        run: The run that is to continue.

    Returns:
        The number of completed epochs, and the arrays of the model and its optimizer; 0 and none without a checkpoint.

    Raises:
        CommandError: If the checkpoint belongs to a run with other parameters.
    """
    file = run.out / CHECKPOINT_FILE
    if not file.is_file():
        return 0, []
    with np.load(file) as stored:
        if "fingerprint" not in stored or str(stored["fingerprint"]) != run.fingerprint():
            raise CommandError(f"{file} is of a run with other options or photos; delete it or choose another --out")
        epoch = int(stored["epoch"])
        arrays = [stored[f"array{i}"] for i in range(len(stored.files) - 2)]
    print(f"continuing after epoch {epoch}", flush=True)
    return epoch, arrays


class Checkpointer(keras.callbacks.Callback):
    """Writes the checkpoint after each epoch; every few epochs, also evaluates and saves the averaged model."""

    def __init__(self, run: TrainingRun, phase: Phase) -> None:
        super().__init__()
        self.run, self.phase = run, phase

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keep all that the run needs to continue after this epoch."""
        completed = epoch + 1
        if completed % self.run.every == 0 or completed == self.phase.end_epoch:
            self._with_averaged_weights(lambda: self._evaluate_and_save(completed, logs["loss"]))
        arrays: dict[str, Any] = {
            f"array{i}": np.asarray(variable) for i, variable in enumerate(_variables(self.model))
        }
        with cli.atomic_path(self.run.out / CHECKPOINT_FILE) as partial:
            np.savez(partial, fingerprint=self.run.fingerprint(), epoch=completed, **arrays)

    def _with_averaged_weights(self, act: Callable[[], None]) -> None:
        """Call a function while the moving average of the weights is in the model."""
        variables = self.model.trainable_variables
        current = [np.asarray(variable).copy() for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)
        act()
        for variable, values in zip(variables, current, strict=True):
            variable.assign(values)

    def _evaluate_and_save(self, completed: int, loss: float) -> None:
        result = evaluate_model(self.model, self.phase.size_px, self.run)
        figures = {"loss": loss, "iou": result.iou}
        if result.border_iou is not None and result.border_threshold is not None:
            figures |= {"border_iou": result.border_iou, "border_threshold": result.border_threshold}
        line = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"\nepoch {completed}: {line}", flush=True)
        history.append(self.run.out, completed, figures)
        with cli.atomic_path(self.run.out / self.phase.model_file) as partial:
            plain_model(self.model, self.phase, self.run.classes).save(partial, include_optimizer=False)


def evaluate_model(model: keras.Model, size_px: int, run: TrainingRun) -> Evaluation:
    """Evaluate a model in training on the photos held out, as the command `evaluate` does."""
    spec = FLOAT_RGB.with_size((size_px, size_px))
    candidate = Candidate(Path("model"), model.predict_on_batch, spec, run.classes, run.card, 0, "")
    return evaluation.evaluate(candidate, run.validation)


def plain_model(model: keras.Model, phase: Phase, classes: int) -> keras.Model:
    """Return the network of standard Keras layers, with the weights of a model in training."""
    plain = network.build(phase.size_px, classes)
    if phase.form == "batch_norm":
        plain.set_weights(model.get_weights())
    else:
        plain = fake_quantization.folded(plain)
        fake_quantization.copy_weights(plain, model)
    return plain


def card(name: str, labels: tuple[str, ...]) -> ModelCard:
    """Return the model card of a model of this network, with its normalization."""
    palette = ModelCard().palette if len(labels) == 2 else voc_palette(len(labels))
    return ModelCard(name=name, labels=labels, palette=palette, mean=(MEAN,) * 3, std=(STD,) * 3)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]
