"""Take one family through quantize, describe, evaluate and the function, and compare the masks with its own answer."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.paths import ROOT
from tests.training.families import forked, shapes
from tests.training.families.family import UNCOVERED, Family, Step

RECIPES = {"float16": 0.99, "int8": 0.97}  # the least agreement
SENSIBLE_IOU = 0.6  # of the model's own answer: below, it has not learned the shapes, and agreement means little
IOU_TOLERANCE = 0.06  # between evaluate's IoU of the float model and that of its own answer
ATTEMPTS = 4


@dataclass
class Row:
    """The results of a family.

    Attributes:
        name: Its name.
        title: What it is.
        needs: The package that it needs.
        own_iou: IoU of the model's own answer with the drawn shapes.
        refusals: Messages of the refusals, each with the step that was tried next; empty if there was none.
        agreement: For each recipe, the share of pixels on which the served mask agrees with the model's own answer.
        quantize: For each recipe, "ok", or what went wrong.
        describe: "ok", or what went wrong.
        evaluate: "ok", or what went wrong.
        verdict: "agrees", "refused, next step works", or what is wrong.
    """

    name: str
    title: str
    needs: str = ""
    own_iou: float = 0.0
    refusals: list[list[str]] = field(default_factory=list)
    agreement: dict[str, float] = field(default_factory=dict)
    quantize: dict[str, str] = field(default_factory=dict)
    describe: str = ""
    evaluate: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Made:
    """A trained model as the parent process reads it: Trained without functions, and its answers."""

    file: Path
    options: tuple[str, ...]
    steps: tuple[Step, ...]
    object_id: int
    background: int | None
    photos: Path
    masks: Path
    ids: NDArray[np.uint8]
    answers: NDArray[np.uint8]


def check(family: Family, folder: Path) -> Row:
    """Return the results of a family, whose files go to a new folder."""
    row = Row(family.name, family.title, family.needs)
    folder.mkdir(parents=True)
    trained = forked.run(lambda: _make(family, folder), folder / "train.log")
    if trained.code:
        row.verdict = f"NOT TRAINED: exit {trained.code}, {trained.last_line}"
        return row
    made = _read(folder)
    row.own_iou = round(own_iou(made), 3)
    files = quantize_with_steps(made, folder, row)
    for recipe, file in files.items():
        row.agreement[recipe] = serve(made, file, folder / f"served-{recipe}", row)
    if files:
        row.describe = describe(made, next(iter(files.values())), folder)
        row.evaluate = evaluate(made, files, folder, row)
    row.verdict = verdict(row)
    return row


def _make(family: Family, folder: Path) -> None:
    """Train the model from a fixed seed, and write what `_read` reads."""
    import tensorflow as tf

    random.seed(1)  # from which both versions of Keras take their seeds
    np.random.seed(1)
    tf.random.set_seed(1)
    made = family.make(folder)
    shapes.write(folder / "data", made.photos, made.ids)
    np.savez(folder / "answers.npz", answers=made.answer(made.photos), ids=made.ids)
    plan = {
        "file": str(made.file),
        "options": made.options,
        "steps": [asdict(step) for step in made.steps],
        "object_id": made.object_id,
        "background": made.background,
    }
    (folder / "plan.json").write_text(json.dumps(plan, default=str))


def _read(folder: Path) -> Made:
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    steps = tuple(
        Step(s["message"], tuple(s["options"]), Path(s["file"]) if s["file"] else None, s["write"])
        for s in plan["steps"]
    )
    arrays = np.load(folder / "answers.npz")
    data = folder / "data"
    return Made(
        Path(plan["file"]),
        tuple(plan["options"]),
        steps,
        plan["object_id"],
        plan["background"],
        data / "photos",
        data / "masks",
        arrays["ids"],
        arrays["answers"],
    )


def own_iou(made: Made) -> float:
    """Return the mean over the photos of the IoU of the model's own answer, as evaluate computes it."""
    truth = made.ids
    if truth.shape != made.answers.shape:
        step = truth.shape[1] // made.answers.shape[1]
        truth = truth[:, ::step, ::step]
    covered = made.answers != UNCOVERED
    count = int(truth.max()) + 1
    classes = [made.object_id] if count == 2 else list(range(count))
    ious = []
    for wanted in classes:
        both = ((truth == wanted) & (made.answers == wanted) & covered).sum((1, 2))
        either = (((truth == wanted) | (made.answers == wanted)) & covered).sum((1, 2))
        ious += [b / e for b, e in zip(both, either, strict=True) if e]
    return float(np.mean(ious))


def quantize_with_steps(made: Made, folder: Path, row: Row) -> dict[str, Path]:
    """Quantize by each recipe; if one is refused, try the step that the refusal names. Return the files written."""
    files: dict[str, Path] = {}
    for recipe in RECIPES:
        current, untried = Step("", made.options, made.file), list(made.steps)
        for attempt in range(ATTEMPTS):
            target, log = folder / f"{recipe}.tflite", folder / f"{recipe}-{attempt}.log"
            completed = convert(made, recipe, current, target, log)
            if completed.code == 0:
                row.quantize[recipe], files[recipe] = "ok", target
                break
            row.quantize[recipe] = failure(completed)
            following = next_step(made, untried, completed)
            if following is None:
                break
            refusal = [completed.last_line, following.words]
            row.refusals += [refusal] if refusal not in row.refusals else []
            current = following
    return files


def next_step(made: Made, untried: list[Step], completed: forked.Completed) -> Step | None:
    """Return the first step that a refusal names, and remove it from the untried ones; None if it names none."""
    if completed.code not in (1, 2):
        return None
    step = next((step for step in untried if re.search(step.message, completed.last_line)), None)
    if step is None:
        return None
    untried.remove(step)
    return replace(step, file=step.file or made.file, options=step.options or made.options)


def convert(made: Made, recipe: str, step: Step, target: Path, log: Path) -> forked.Completed:
    """Run quantize; or copy a .tflite and run `describe --write` on it."""
    if step.write and step.file:
        target.write_bytes(step.file.read_bytes())
        return forked.run(forked.command("describe", target, "--write", *step.options), log)
    photos = ("--photos", made.photos) if recipe == "int8" else ()
    options = ("--recipe", recipe, "--out", target, *photos, *step.options)
    return forked.run(forked.command("quantize", step.file, *options), log)


def failure(completed: forked.Completed) -> str:
    """Return what went wrong in a command, in one line."""
    if completed.code in (1, 2) and "Traceback" not in completed.output:
        return f"refused: {completed.last_line}"
    return f"CRASHED ({completed.code}): {completed.last_line}"


def serve(made: Made, file: Path, out: Path, row: Row) -> float:
    """Segment the photos with the function's code, and return the share of pixels that agree with the own answer."""
    out.mkdir()
    size = "photo" if made.answers.shape == made.ids.shape else "model"
    photos = sorted(made.photos.iterdir())
    command = [sys.executable, "-m", "model", *photos, "--model", file, "--out", out, "--size", size]
    completed = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    if completed.returncode:
        row.quantize[file.stem] = f"NOT SERVED ({completed.returncode}): {completed.stderr.strip()[-300:]}"
        return 0.0
    masks = np.stack([served_ids(out / f"{photo.stem}-mask.png", made.object_id) for photo in photos])
    if masks.shape != made.answers.shape:
        row.quantize[file.stem] = f"WRONG SIZE: served {masks.shape[1:]}, own {made.answers.shape[1:]}"
        return 0.0
    covered = made.answers != UNCOVERED
    return round(float((masks == made.answers)[covered].mean()), 4)


def served_ids(file: Path, object_id: int) -> NDArray[np.uint8]:
    """Return the class ids of a served mask: white is the object in a mask of two classes."""
    with Image.open(file) as mask:
        if mask.mode == "1":
            return np.where(np.asarray(mask), object_id, 1 - object_id).astype(np.uint8)
        return np.asarray(mask, np.uint8)


def describe(made: Made, file: Path, folder: Path) -> str:
    """Run describe, and check the card's background against what the options imply."""
    completed = forked.run(forked.command("describe", file, "--json"), folder / "describe.log")
    if completed.code:
        return failure(completed)
    card = json.loads(completed.output[completed.output.index("{") :])["card"]
    if card is None:
        return "the function rejects it"
    if made.background is not None and card["background"] != made.background:
        return f"WRONG: background {card['background']}, not {made.background}"
    return "ok"


def evaluate(made: Made, files: dict[str, Path], folder: Path, row: Row) -> str:
    """Run evaluate on the float model and the files, and compare its IoU with that of the own answer."""
    out = folder / "report"
    options = ("--photos", made.photos, "--masks", made.masks, "--kind", "ids", "--all", "--runs", "0", "--out", out)
    reference = () if row.refusals or made.file.suffix == ".tflite" else (made.file,)
    card = made.options if reference else ()
    completed = forked.run(
        forked.command("evaluate", *reference, *files.values(), *options, *card), folder / "evaluate.log"
    )
    if completed.code:
        return failure(completed)
    rows = json.loads((out / "report.json").read_text())
    ious = [float(each["iou"]) for each in rows]
    worst = max(ious, key=lambda iou: abs(iou - row.own_iou))
    if abs(worst - row.own_iou) > IOU_TOLERANCE:
        return f"WRONG: IoU {worst:.3f}, its own {row.own_iou:.3f}"
    return "ok"


def verdict(row: Row) -> str:
    """Return the verdict on a row."""
    if row.own_iou < SENSIBLE_IOU:
        return f"NOT TRAINED: own IoU {row.own_iou}"
    served = [recipe for recipe in RECIPES if row.agreement.get(recipe, 0) > 0]
    wrong = [recipe for recipe in served if row.agreement[recipe] < RECIPES[recipe]]
    if wrong or "WRONG" in row.describe + row.evaluate + "".join(row.quantize.values()):
        return "SILENTLY WRONG"
    if any(word in str(row.quantize) + row.describe + row.evaluate for word in ("CRASHED", "NOT SERVED")):
        return "CRASHED"
    if "float16" not in served or "int8" not in served:
        return "refused, no step that works"
    if "refused" in row.evaluate:
        return "agrees, evaluate refuses"
    return "refused, then agrees" if row.refusals else "agrees"
