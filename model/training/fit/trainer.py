"""Training, phase by phase: a run that was cut off goes on as if it had not been."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model.tflite.card import ModelCard, voc_palette
from model.training import cli, evaluate
from model.training.cli import CommandError
from model.training.data.batches import MEAN, STD, Pairs, count
from model.training.data.samples import Sample
from model.training.fit import curves, losses
from model.training.fit.schedule import Phase, rate, recall
from model.training.nets import fake_quantization, imagenet, network, normalization, unfold

CHECKPOINT, HISTORY = "checkpoint.npz", "history.csv"


@dataclass(frozen=True)
class Run:
    """All that a training run is made of.

    classes: channels of the output; 1 for object against background
    out: the folder of its checkpoint, history, curves and models
    every: epochs between two looks at the photos held out
    weights: models of this network, .h5 or .tflite, to begin with the mean of; none for ImageNet's weights
    """

    out: Path
    classes: int
    seed: int
    train: Sequence[Sample]
    held: list[Sample]
    phases: Sequence[Phase]
    card: ModelCard
    every: int = 5
    weights: Sequence[Path] = ()

    def told(self) -> str:
        """Say what must be the same for a checkpoint to go on."""
        names = sorted(sample.name for sample in self.train)
        begun, phases = [str(file) for file in self.weights], [vars(phase) for phase in self.phases]
        return json.dumps([self.classes, self.seed, begun, names, phases])


def fit(run: Run) -> None:
    """Train through every phase, from the checkpoint where there is one.

    raises: CommandError when the checkpoint is of another run
    """
    keras.utils.set_random_seed(run.seed)
    epoch, arrays = restore(run)
    if epoch == run.phases[-1].last:
        return
    before: keras.Model | None = None
    for phase in run.phases:
        if epoch > phase.last:
            continue
        resumed = phase.first < epoch
        model = assemble(run, phase, before)
        memory = recall(phase.memory, (phase.last - phase.first) * count(len(run.train)))
        optimizer = keras.optimizers.AdamW(
            phase.peak, weight_decay=1e-3, global_clipnorm=5.0, use_ema=True, ema_momentum=memory
        )
        model.compile(optimizer, losses.of_object if run.classes == 1 else losses.of_classes, jit_compile=False)
        optimizer.build(model.trainable_variables)
        if resumed:
            for variable, array in zip(_variables(model), arrays, strict=True):
                variable.assign(array)
        if epoch < phase.last:
            pairs = Pairs(run.train, phase.size_px, run.classes, run.seed, max(epoch, phase.first))
            callbacks = [Rate(phase, len(pairs), max(epoch, phase.first)), Keeper(run, phase)]
            verbose = "auto" if sys.stderr.isatty() else 2
            model.fit(pairs, initial_epoch=pairs.epoch, epochs=phase.last, callbacks=callbacks, verbose=verbose)
        else:
            optimizer.finalize_variable_values(model.trainable_variables)
        before = model


def mean(run: Run) -> None:
    """Save the mean of the models to begin with as it is, and say how good it is."""
    size_px = run.phases[-1].size_px
    model = network.build(size_px, run.classes)
    take_mean(model, run, size_px)
    verdict = judge(tf.function(lambda image: model(image, training=False)), size_px, run)
    print(f"the mean of {len(run.weights)} models: iou {verdict.iou:.4f}", flush=True)
    with cli.atomic_path(run.out / run.phases[-1].file) as partial:
        model.save(partial, include_optimizer=False)


def assemble(run: Run, phase: Phase, before: keras.Model | None) -> keras.Model:
    """Build a phase's model, with the weights of the model before it, or else of ImageNet."""
    model = network.build(phase.size_px, run.classes)
    if before is None and run.weights:
        take_mean(model, run, phase.size_px)
    elif before is None:
        network.load_imagenet(model, imagenet.read(imagenet.path()))
    else:
        model.set_weights(before.get_weights())
    if phase.form == "normalized":
        return normalization.fused(model)
    model = fake_quantization.folded(model)
    return fake_quantization.rounded(model) if phase.form == "rounded" else model


def take_mean(model: keras.Model, run: Run, size_px: int) -> None:
    """Begin with the mean of the weights of models that began alike: mostly better than each (Wortsman et al. 2022).

    raises: CommandError when one is of another network or has other classes
    """
    each = []
    for file in run.weights:
        take(model, file, run, size_px)
        each.append(model.get_weights())
    model.set_weights([np.mean(arrays, axis=0) for arrays in zip(*each, strict=True)])


def take(model: keras.Model, file: Path, run: Run, size_px: int) -> None:
    """Take the weights of a model that train saved, or of a float .tflite made of one.

    raises: CommandError when it is of another network or has other classes
    """
    if file.suffix == ".tflite":
        pairs = Pairs(run.train, size_px, run.classes, run.seed)
        return unfold.take(model, file, np.concatenate([pairs[i][0] for i in range(min(2, len(pairs)))]))
    try:
        model.set_weights(keras.models.load_model(file, compile=False).get_weights())
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} is not a model of this network with {model.output_shape[-1]} channels") from error


def restore(run: Run) -> tuple[int, list[Any]]:
    """Read the checkpoint.

    returns: the epochs that are done, and the arrays of the model and its optimizer; 0 where there is none
    raises: CommandError when it is of another run
    """
    file = run.out / CHECKPOINT
    if not file.is_file():
        return 0, []
    with np.load(file) as stored:
        if str(stored["told"]) != run.told():
            raise CommandError(f"{file} is of a run with other options or photos; choose another --out, or delete it")
        epoch = int(stored["epoch"])
        arrays = [stored[f"array{i}"] for i in range(len(stored.files) - 2)]
    print(f"going on after epoch {epoch}", flush=True)
    return epoch, arrays


class Keeper(keras.callbacks.Callback):
    """At the end of each epoch, keep all that it takes to go on; now and then, look at the photos held out."""

    def __init__(self, run: Run, phase: Phase) -> None:
        super().__init__()
        self.run, self.phase = run, phase
        self._infer: Callable[[Any], Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        done = epoch + 1
        if done % self.run.every == 0 or done == self.phase.last:
            self._with_mean_weights(lambda: self._look(done, logs["loss"]))
        with cli.atomic_path(self.run.out / CHECKPOINT) as partial:
            arrays: dict[str, Any] = {
                f"array{i}": np.asarray(variable) for i, variable in enumerate(_variables(self.model))
            }
            np.savez(partial, told=self.run.told(), epoch=done, **arrays)

    def _with_mean_weights(self, act: Callable[[], None]) -> None:
        """Put the running mean of the weights in place while something is done."""
        variables = self.model.trainable_variables
        own = [np.array(variable) for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)
        act()
        for variable, values in zip(variables, own, strict=True):
            variable.assign(values)

    def _look(self, done: int, loss: float) -> None:
        self._infer = self._infer or tf.function(lambda image: self.model(image, training=False))
        verdict = judge(self._infer, self.phase.size_px, self.run)
        figures = {"loss": loss, "iou": verdict.iou}
        if verdict.border_iou is not None and verdict.border_threshold is not None:
            figures |= {"border_iou": verdict.border_iou, "border_threshold": verdict.border_threshold}
        print(f"\nepoch {done}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()), flush=True)
        record(self.run.out, done, figures)
        with cli.atomic_path(self.run.out / self.phase.file) as partial:
            _to_save(self.model, self.phase, self.run.classes).save(partial, include_optimizer=False)


class Rate(keras.callbacks.Callback):
    """Set the learning rate before each step: a short rise, then half a cosine down to nothing."""

    def __init__(self, phase: Phase, per_epoch: int, epoch: int) -> None:
        super().__init__()
        start, end = phase.course
        self.step, self.steps, self.peak = (epoch - start) * per_epoch, (end - start) * per_epoch, phase.peak

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.optimizer.learning_rate.assign(rate(self.step, self.steps, self.peak))
        self.step += 1


def judge(infer: Callable[[Any], Any], size_px: int, run: Run) -> evaluate.Verdict:
    """Judge the model in training as evaluate does."""
    wh = size_px, size_px
    candidate = evaluate.Candidate(Path("model"), lambda x: np.asarray(infer(x)), wh, run.classes, run.card, 0, "")
    return evaluate.judge(candidate, run.held, [])


def record(out: Path, epoch: int, figures: dict[str, float]) -> None:
    """Add a row to the history, in place of any of that epoch or later, and draw the curves anew."""
    rows = [{**row, "epoch": int(row["epoch"])} for row in curves.read(out / HISTORY) if row["epoch"] < epoch]
    rows.append({"epoch": epoch, **figures})
    with cli.atomic_path(out / HISTORY) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)
    with cli.atomic_path(out / "curves.png") as partial:
        curves.draw(rows).save(partial)


def card(name: str, labels: tuple[str, ...]) -> ModelCard:
    """Make the card of a model of the network."""
    palette = ModelCard().palette if len(labels) == 2 else voc_palette(len(labels))
    return ModelCard(name=name, labels=labels, palette=palette, mean=(MEAN,) * 3, std=(STD,) * 3)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _to_save(model: keras.Model, phase: Phase, classes: int) -> keras.Model:
    """Give the model that is saved: the plain one that the weights in training belong to."""
    plain = network.build(phase.size_px, classes)
    if phase.form == "normalized":
        plain.set_weights(model.get_weights())
    else:
        plain = fake_quantization.folded(plain)
        fake_quantization.take_weights(plain, model)
    return plain
