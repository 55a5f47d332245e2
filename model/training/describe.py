"""Describe any .tflite, or embed a card in it: `python -m model.training.describe MODEL.tflite`."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from model.errors import ModelRejected
from model.tflite import card as cards
from model.tflite import loading, runtime, trial, verify
from model.tflite.card import ModelCard
from model.training import card_draft, card_options, cli, model_options, reading_options
from model.training.card_draft import CardDraft
from model.training.cli import CommandError

LABELS_SHOWN = 12


def main(argv: Sequence[str] | None = None) -> None:
    """Describe the model; with --write, first embed the card that the options describe."""
    args = arguments().parse_args(argv)
    if not args.model.is_file():
        raise CommandError(f"there is no model at {args.model}")
    trial.check(args.model)
    reading_options.check(args)
    comparison, best_reading = reading_options.compare(args) if args.photo else ("", {})
    if args.write:
        with cli.silence_native_output(), tempfile.TemporaryDirectory() as folder:
            draft = draft_of(args if args.output is None else with_output(args, Path(folder)))
            draft = checked(args.model, draft.with_found(best_reading))
        write_card(args.model, draft.card, draft.names)
        for note in draft.notes:
            print(note, file=sys.stderr)
    with cli.silence_native_output():
        description = describe(args.model)
    print(json.dumps(description, indent=2) if args.json else text(description))
    if comparison:
        print(comparison, file=sys.stderr if args.json else sys.stdout)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.describe", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help="embed a card, in place of the one in the file")
    model_options.add_output(parser)
    card_options.add_arguments(parser)
    reading_options.add_arguments(parser)
    return parser


def describe(file: Path) -> dict[str, Any]:
    """Describe a model: tensors, operators, card and files inside.

    Args:
        file: A .tflite.

    Returns:
        The description, ready for JSON.

    Raises:
        ModelRejected: If the file is not a valid .tflite, or the runtime cannot load it.
    """
    verify.read_model(file)  # the runtime may crash on a damaged file
    interpreter, _ = runtime.create_interpreter(file, xnnpack=False)
    ops = Counter(op["op_name"] for op in interpreter._get_ops_details())
    data = file.read_bytes()
    card, notes = read_card(file)
    return {
        "model": file.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "inputs": [_tensor(details) for details in interpreter.get_input_details()],
        "outputs": [_tensor(details) for details in interpreter.get_output_details()],
        "ops": dict(ops.most_common()),
        "runtime": runtime.RUNTIME,
        "not_taken_by_xnnpack": ops_outside_xnnpack(file, interpreter),
        "files_inside": associated_files(file),
        "card_source": card.source if card else None,
        "card": json.loads(card.to_json()) if card else None,
        "notes": notes,
    }


def read_card(file: Path) -> tuple[ModelCard | None, list[str]]:
    """Return a model's card as the function completes it, and the function's notes on the model.

    Args:
        file: A .tflite.

    Returns:
        The card, and notes of one sentence each. If the function rejects the model, None, and the reason as a note.
    """
    try:
        loaded = loading.load(file, 1)
    except ModelRejected as error:
        return None, [f"the function rejects this model: {error}"]
    return loaded.card, list(loaded.notes)


def ops_outside_xnnpack(file: Path, interpreter: Any) -> dict[str, int]:
    """Count the operators that the XNNPACK delegate leaves to slower kernels.

    After delegation, the runtime lists the original nodes, and one DELEGATE node for each delegated subgraph. The
    nodes of a subgraph are found by following the tensors from its outputs back to its inputs.

    Args:
        file: A .tflite.
        interpreter: An interpreter of it without the delegate.

    Returns:
        The number of operators by name; all operators if the delegate rejects the model.
    """
    ops = Counter(str(op["op_name"]) for op in interpreter._get_ops_details())
    shape = tuple(interpreter.get_input_details()[0]["shape"])
    delegated, xnnpack = runtime.create_interpreter(file, shape)
    if not xnnpack:
        return dict(ops)
    nodes = delegated._get_ops_details()
    producers = {int(tensor): node for node in nodes if node["op_name"] != "DELEGATE" for tensor in node["outputs"]}
    names: dict[int, str] = {}  # of the nodes that the delegate executes, by index
    for node in nodes:
        if node["op_name"] != "DELEGATE":
            continue
        boundary, pending = set(map(int, node["inputs"])), [int(tensor) for tensor in node["outputs"]]
        while pending:
            tensor = pending.pop()
            producer = producers.get(tensor)
            if producer is not None and tensor not in boundary and producer["index"] not in names:
                names[producer["index"]] = producer["op_name"]
                pending.extend(int(each) for each in producer["inputs"] if each >= 0)
    return dict(ops - Counter(names.values()))


def associated_files(file: Path) -> dict[str, list[str]]:
    """Return the files in the archive at a model's end, with the first lines of those with labels."""
    if not zipfile.is_zipfile(file):
        return {}
    with zipfile.ZipFile(file) as archive:
        return {name: _first_lines(archive.read(name)) if name.endswith(".txt") else [] for name in archive.namelist()}


def draft_of(args: argparse.Namespace) -> CardDraft:
    """Return the card that the options describe, with what the file states for what they leave open.

    Args:
        args: The command line.

    Returns:
        The card to embed. The model's own card is ignored if --card is given, or if it is invalid.

    Raises:
        CommandError: If the options contradict each other.
        ModelRejected: If a value is invalid.
    """
    verify.read_model(args.model)  # the runtime may crash on a damaged file
    try:
        loaded = loading.load(args.model, 1)
        sources = loaded.sources
        stated = {name: getattr(loaded.card, name) for name in sources if sources[name] not in ("default", "inferred")}
    except ModelRejected:
        if args.output is not None:
            raise
        stated = {}
    return card_draft.start(args, args.model, () if args.card else (("the model", stated),))


def with_output(args: argparse.Namespace, folder: Path) -> argparse.Namespace:
    """Return the command line for a copy of the model whose card states only --output, so that the rest is inferred."""
    copy = folder / args.model.name
    copy.write_bytes(_split_archive(args.model)[0])
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr(cards.MEMBER, json.dumps({"output": args.output}))
    return argparse.Namespace(**{**vars(args), "model": copy})


def checked(file: Path, draft: CardDraft) -> CardDraft:
    """Return a draft with what the function infers of a model that has its card.

    Raises:
        ModelRejected: If the function rejects the model with the card.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(file, folder))
        write_card(copy, draft.card, draft.names)
        loaded = loading.load(copy, 1)
    inferred = [name for name, source in loaded.sources.items() if source == "inferred"]
    return draft.with_found({name: getattr(loaded.card, name) for name in inferred})


def write_card(file: Path, card: ModelCard, names: Collection[str] | None = None) -> None:
    """Embed a card in a model, in place of the one that it may have; other files in its archive are kept.

    Args:
        file: The .tflite.
        card: The card.
        names: Names of the fields to embed, as for `ModelCard.to_json`.
    """
    data, others = _split_archive(file)
    with cli.atomic_path(file) as partial:
        partial.write_bytes(data)
        if others:
            with zipfile.ZipFile(partial, "a", zipfile.ZIP_STORED) as archive:
                for name, content in others.items():
                    archive.writestr(name, content)
        cards.embed(partial, card, names)


def _split_archive(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """Return a model without the archive at its end, and the files of that archive, without the card."""
    data = file.read_bytes()
    if not zipfile.is_zipfile(file):
        return data, {}
    with zipfile.ZipFile(file) as archive:
        others = {name: archive.read(name) for name in archive.namelist() if name != cards.MEMBER}
        return data[: min(info.header_offset for info in archive.infolist())], others


def text(description: dict[str, Any]) -> str:
    """Return a description as lines of text."""
    lines = [f"{description['model']}: {description['bytes']:,} bytes, sha256 {description['sha256']}"]
    for role in ("input", "output"):
        for tensor in description[f"{role}s"]:
            scale = f", scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}" if tensor["scale"] else ""
            lines.append(f"{role} {tensor['name']}: {tensor['dtype']} {tensor['shape']}{scale}")
    lines.append("ops: " + _counts(description["ops"]))
    outside = description["not_taken_by_xnnpack"]
    delegated = f"all ops but {_counts(outside)}" if outside else "all ops"
    lines.append(f"XNNPACK of {description['runtime']} runs {delegated}")
    for name, labels in description["files_inside"].items():
        lines.append(f"file inside: {name}" + (f" ({', '.join(filter(None, labels))})" if labels else ""))
    lines += description["notes"]
    if description["card"] is not None:
        hint = "" if description["card_source"] == "embedded" else "; --write embeds it"
        lines.append(f"card ({description['card_source']}{hint}):")
        lines += [f"  {name}: {json.dumps(value)}" for name, value in description["card"].items()]
    return "\n".join(lines)


def _first_lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").split("\n")[:LABELS_SHOWN]


def _tensor(details: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    return {
        "name": details["name"],
        "dtype": details["dtype"].__name__,
        "shape": [int(size) for size in details.get("shape_signature", details["shape"])],
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def _counts(ops: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in ops.items())


if __name__ == "__main__":
    cli.run(main)
