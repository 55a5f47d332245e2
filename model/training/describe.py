"""Show what is in any .tflite, or put a card into it: `python -m model.training.describe MODEL.tflite`."""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.errors import ModelRejected
from model.tflite import card as cards
from model.tflite.card import ModelCard
from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.measure import interpreter

LABELS_SHOWN = 12


def main(argv: Sequence[str] | None = None) -> None:
    """Describe the model; with --write, put the card that the options describe into it first."""
    args = arguments().parse_args(argv)
    if not args.model.is_file():
        raise CommandError(f"there is no model at {args.model}")
    if args.write:
        with cli.silence_native_output():
            classes = interpreter.Interpreter(args.model).classes
        write(args.model, merged_card(args, classes))
    with cli.silence_native_output():
        found = describe(args.model)
    print(json.dumps(found, indent=2) if args.json else text(found))


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.describe", description=__doc__.split(":")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--write", action="store_true", help="put a card into the file, over the one it may have")
    card_options.add_arguments(parser)
    return parser


def describe(model: Path) -> dict[str, Any]:
    """Find out all that a .tflite says of itself.

    raises: ModelRejected when the runtime cannot load it, or its card has no sense
    """
    data = model.read_bytes()
    runtime, module = interpreter.installed()
    if data[4:8] != b"TFL3":
        raise ModelRejected(f"{model.name} is no .tflite: the letters TFL3 are not at its beginning")
    try:
        plain = interpreter.load(module, model, plain=True)
    except (ValueError, RuntimeError) as error:
        raise ModelRejected(f"{runtime} cannot load {model.name}: {cli.one_line(str(error))}") from error
    ops = Counter(op["op_name"] for op in plain._get_ops_details())
    card, notes = read_card(model)
    return {
        "model": model.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "inputs": [_tensor(details) for details in plain.get_input_details()],
        "outputs": [_tensor(details) for details in plain.get_output_details()],
        "ops": dict(ops.most_common()),
        "runtime": runtime,
        "not_taken_by_xnnpack": not_taken(module, model, ops),
        "files_inside": associated(model),
        "card_source": card.source if card else None,
        "card": json.loads(card.to_json()) if card else None,
        "notes": notes,
    }


def read_card(model: Path) -> tuple[ModelCard | None, list[str]]:
    """Read a model as the function does: from its card, else its TFLite Metadata, else by guess.

    returns: the card, None where the function would refuse the model; and what is to be said of it
    """
    from model.tflite import loading  # it needs one of the runtimes that serve

    try:
        loaded = loading.load(model, 1)
    except ModelRejected as error:
        return None, [f"the function refuses it: {error}"]
    return loaded.card, list(loaded.notes)


def not_taken(module: Any, model: Path, ops: Counter[str]) -> dict[str, int]:
    """Count the ops that the runtime's XNNPACK leaves to the slower kernels; all of them where it refuses.

    After delegation the runtime still lists the nodes it had, and beside them one node for each stretch that was
    taken, from these tensors to those: what lies between is walked here.
    """
    try:
        nodes = interpreter.load(module, model)._get_ops_details()
    except (ValueError, RuntimeError):
        return dict(ops)
    maker = {int(t): node for node in nodes if node["op_name"] != "DELEGATE" for t in node["outputs"]}
    taken: dict[int, str] = {}
    for node in nodes:
        if node["op_name"] != "DELEGATE":
            continue
        edge, ahead = set(map(int, node["inputs"])), [int(t) for t in node["outputs"]]
        while ahead:
            tensor = ahead.pop()
            if tensor in maker and tensor not in edge and maker[tensor]["index"] not in taken:
                taken[maker[tensor]["index"]] = maker[tensor]["op_name"]
                ahead.extend(int(t) for t in maker[tensor]["inputs"] if t >= 0)
    return dict(ops - Counter(taken.values()))


def associated(model: Path) -> dict[str, list[str]]:
    """List the files in the archive at a model's end, with the first lines of those that hold labels."""
    if not zipfile.is_zipfile(model):
        return {}
    with zipfile.ZipFile(model) as archive:
        return {
            name: archive.read(name).decode(errors="replace").split("\n")[:LABELS_SHOWN]
            if name.endswith(".txt")
            else []
            for name in archive.namelist()
        }


def merged_card(args: argparse.Namespace, classes: int) -> ModelCard:
    """Return the card that the options describe, with the model's own card for what they leave open.

    Args:
        args: The command line.
        classes: Channels of the model's output.

    Returns:
        The card to embed. The model's own card is ignored if --card is given.

    Raises:
        CommandError: If the number of labels does not fit the model.
        ModelRejected: If a value is invalid.
    """
    card = card_options.build_card(args, args.model, classes)
    base, _ = read_card(args.model)
    if base is None or args.card:
        return card
    values = card_options.card_values(args)
    if base.source == "inferred":
        values["name"] = card.name
    return base.with_values(values)


def write(model: Path, card: ModelCard) -> None:
    """Put a card into a model in place of the one it may have; what else is in its archive stays."""
    data, others = model.read_bytes(), {}
    if zipfile.is_zipfile(model):
        with zipfile.ZipFile(model) as archive:
            data = data[: min(info.header_offset for info in archive.infolist())]
            others = {name: archive.read(name) for name in archive.namelist() if name != cards.MEMBER}
    with cli.atomic_path(model) as partial:
        partial.write_bytes(data)
        if others:
            with zipfile.ZipFile(partial, "a", zipfile.ZIP_STORED) as archive:
                for name, content in others.items():
                    archive.writestr(name, content)
        cards.embed(partial, card)


def text(found: dict[str, Any]) -> str:
    """Lay a description out for reading."""
    lines = [f"{found['model']}: {found['bytes']:,} bytes, sha256 {found['sha256']}"]
    for kind in ("inputs", "outputs"):
        for tensor in found[kind]:
            scale = f", scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}" if tensor["scale"] else ""
            lines.append(f"{kind[:-1]} {tensor['name']}: {tensor['dtype']} {tensor['shape']}{scale}")
    lines.append("ops: " + _counts(found["ops"]))
    rest = found["not_taken_by_xnnpack"]
    lines.append(f"XNNPACK of {found['runtime']} takes " + (f"all but {_counts(rest)}" if rest else "all of them"))
    for name, labels in found["files_inside"].items():
        lines.append(f"inside: {name}" + (f" ({', '.join(filter(None, labels))})" if labels else ""))
    lines += found["notes"]
    if found["card"] is not None:
        hint = "" if found["card_source"] == "embedded" else "; --write puts one in"
        lines.append(f"card ({found['card_source']}{hint}):")
        lines += [f"  {name}: {json.dumps(value)}" for name, value in found["card"].items()]
    return "\n".join(lines)


def _tensor(details: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    shape = [int(size) for size in details.get("shape_signature", details["shape"])]
    dtype = details["dtype"].__name__
    return {
        "name": details["name"],
        "dtype": dtype,
        "shape": shape,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def _counts(ops: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in ops.items())


if __name__ == "__main__":
    cli.run(main)
