"""Fetch Oxford-IIIT Pet, or check a folder of your own: `python -m model.training.dataset --help`.

Either way every photo and mask is opened, and a picture shows some of them as training will see them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from model.tflite.card import ModelCard, voc_palette
from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.data import download, masks, samples, split
from model.training.data.samples import Dataset
from model.training.measure import report

PETS_URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
ARCHIVES = {  # by what is taken out of them: name, MD5
    "images": ("images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
    "annotations": ("annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
}
SHOWN = 24
TILE_PX = 160


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch where no folders are named, look through the pairs, and leave a report."""
    args = arguments().parse_args(argv)
    if bool(args.photos) != bool(args.masks):
        raise CommandError("--photos and --masks go together; with neither, Oxford-IIIT Pet is fetched")
    photo_folder, mask_folder = (args.photos, args.masks) if args.photos else pets(args.url, args.out)
    folder = samples.scan(photo_folder, mask_folder, args.kind)
    held = [sample.name for sample in folder.samples if split.is_held_out(sample.name)]
    about = {
        "photos": str(photo_folder),
        "masks": str(mask_folder),
        "kind": folder.mask_format,
        "classes": folder.classes,
        "pairs": len(folder.samples),
        "held_out": held,
        "broken": folder.broken,
        "without_mask": folder.without_mask,
    }
    cli.write_atomic(args.out / "dataset.json", json.dumps(about, indent=2) + "\n")
    if folder.samples:
        with cli.atomic_path(args.out / "dataset.png") as partial:
            picture(folder).save(partial)
    print(f"{len(folder.samples)} pairs of mask format {folder.mask_format}, {folder.classes} classes")
    print(f"{len(held)} pairs are held out")
    print(f"{len(folder.without_mask)} photos have no mask")
    print(f"look at {args.out / 'dataset.png'}; the lists are in {args.out / 'dataset.json'}")
    for line in folder.broken:
        print(f"broken: {line}")
    if folder.broken:
        raise CommandError(
            f"{len(folder.broken)} pairs are broken; --skip-broken lets train and evaluate go on without"
        )


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.dataset", description=__doc__.split(":")[0])
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos of your own; nothing is fetched then")
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="NAME.png for each photo")
    parser.add_argument("--kind", choices=masks.FORMATS, default="auto", help=masks.FORMATS_HELP)
    parser.add_argument("--out", type=Path, default=Path("training-out/data"), metavar="FOLDER")
    parser.add_argument("--url", default=PETS_URL, help="where the archives of Oxford-IIIT Pet are; its authors' site")
    return parser


def pets(url: str, out: Path) -> tuple[Path, Path]:
    """Bring Oxford-IIIT Pet to a folder: 800 MB over the wire, and as much again unpacked.

    returns: the folders of photos and of trimaps
    """
    for name, (archive, md5) in ARCHIVES.items():
        if not (out / name).is_dir():
            download.download(url.rstrip("/") + "/" + archive, out / archive, md5)
            unpack(out / archive, out, name)
    return out / "images", out / "annotations" / "trimaps"


def unpack(archive: Path, out: Path, name: str) -> None:
    """Unpack the folder of that name out of an archive; it appears when all of it is there.

    raises: CommandError when the archive is damaged, or no such folder is in it
    """
    scratch = out / f".{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            members = [m for m in tar.getmembers() if m.isfile() and not Path(m.name).name.startswith("._")]
            for member in cli.progress(members, f"unpacking {archive.name}"):
                tar.extract(member, scratch, filter="data")
        (scratch / name).replace(out / name)
    except (tarfile.TarError, EOFError, FileNotFoundError) as error:
        raise CommandError(f"{archive} is not the archive that was expected: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def picture(folder: Dataset) -> Image.Image:
    """Draw some photos, spread over all, with their classes in colour and what nobody classified in grey."""
    shown = folder.samples[:: max(1, len(folder.samples) // SHOWN)][:SHOWN]
    labels = card_options.default_labels(folder.classes)
    card = ModelCard(labels=labels, palette=((0, 0, 0), *voc_palette(folder.classes)[1:]))
    columns = min(6, len(shown))
    sheet = Image.new("RGB", (columns * TILE_PX, -(-len(shown) // columns) * TILE_PX), "white")
    for i, sample in enumerate(shown):
        tile = report.overlay(sample.photo, np.asarray(sample.ids), card)
        tile.thumbnail((TILE_PX, TILE_PX))
        at = i % columns * TILE_PX, i // columns * TILE_PX
        sheet.paste(tile, at)
        ImageDraw.Draw(sheet).text((at[0] + 3, at[1] + 3), sample.name, "white", stroke_width=1, stroke_fill="black")
    return sheet


if __name__ == "__main__":
    cli.run(main)
