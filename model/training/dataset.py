"""Download Oxford-IIIT Pet, or check your own photos and masks: `python -m model.training.dataset --help`.

Every photo and mask is opened. dataset.json lists the pairs, and dataset.png shows some of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model.tflite.card import ModelCard, voc_palette
from model.training import card_options, cli
from model.training.cli import CommandError
from model.training.data import download, masks, samples, split
from model.training.data.samples import Dataset
from model.training.measure import report

PETS_URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
ARCHIVES = {  # name and MD5, by the folder that is extracted
    "images": ("images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
    "annotations": ("annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
}
TILES = 24
TILE_COLUMNS = 6
TILE_PX = 160


def main(argv: Sequence[str] | None = None) -> None:
    """Download the data set if no folders are given, check every pair, and write dataset.json and dataset.png."""
    args = arguments().parse_args(argv)
    if bool(args.photos) != bool(args.masks):
        raise CommandError("--photos and --masks must be given together; without both, Oxford-IIIT Pet is downloaded")
    photo_folder, mask_folder = (args.photos, args.masks) if args.photos else download_pets(args.url, args.out)
    dataset = samples.scan(photo_folder, mask_folder, args.kind)
    description = describe(dataset, photo_folder, mask_folder)
    cli.write_atomic(args.out / "dataset.json", json.dumps(description, indent=2) + "\n")
    if dataset.samples:
        with cli.atomic_path(args.out / "dataset.png") as partial:
            picture(dataset).save(partial)
    print(f"{len(dataset.samples)} pairs of mask format {dataset.mask_format}, {dataset.classes} classes")
    print(f"{len(description['held_out'])} pairs are held out")
    print(f"{len(dataset.without_mask)} photos have no mask")
    print(f"see {args.out / 'dataset.png'} and the lists in {args.out / 'dataset.json'}")
    for line in dataset.broken:
        print(f"broken: {line}")
    if dataset.broken:
        raise CommandError(f"{len(dataset.broken)} pairs are broken; train and evaluate --skip-broken ignore them")


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.training.dataset", description=__doc__.split(":")[0])
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="your photos; nothing is downloaded then")
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="NAME.png for each photo")
    parser.add_argument("--kind", choices=masks.FORMATS, default="auto", help=masks.FORMATS_HELP)
    parser.add_argument(
        "--out", type=Path, default=Path("training-out/data"), metavar="FOLDER", help="default training-out/data"
    )
    parser.add_argument("--url", default=PETS_URL, help="of the folder of the archives; default: the authors' site")
    return parser


def describe(dataset: Dataset, photo_folder: Path, mask_folder: Path) -> dict[str, Any]:
    """Return the content of dataset.json."""
    return {
        "photos": str(photo_folder),
        "masks": str(mask_folder),
        "kind": dataset.mask_format,
        "classes": dataset.classes,
        "pairs": len(dataset.samples),
        "held_out": [sample.name for sample in dataset.samples if split.is_held_out(sample.name)],
        "broken": dataset.broken,
        "without_mask": dataset.without_mask,
    }


def download_pets(url: str, out: Path) -> tuple[Path, Path]:
    """Download and extract Oxford-IIIT Pet: 800 MB of archives, and as much again extracted.

    Args:
        url: The folder of the archives.
        out: Where they are stored and extracted; what is already there is not downloaded again.

    Returns:
        The folder of photos and the folder of trimaps.

    Raises:
        CommandError: If the download fails or an archive is damaged.
    """
    for name, (archive, md5) in ARCHIVES.items():
        if not (out / name).is_dir():
            download.download(url.rstrip("/") + "/" + archive, out / archive, md5)
            extract(out / archive, out, name)
    return out / "images", out / "annotations" / "trimaps"


def extract(archive: Path, out: Path, name: str) -> None:
    """Extract one folder of an archive completely or not at all.

    Args:
        archive: A tar archive.
        out: Where the folder is created.
        name: Name of the folder.

    Raises:
        CommandError: If the archive is damaged or has no such folder.
    """
    partial = out / f".{name}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            members = [m for m in tar.getmembers() if m.isfile() and not Path(m.name).name.startswith("._")]
            for member in cli.progress(members, f"extracting {archive.name}"):
                tar.extract(member, partial, filter="data")
        (partial / name).replace(out / name)
    except (tarfile.TarError, EOFError, FileNotFoundError) as error:
        raise CommandError(f"{archive} is damaged or not the expected archive: {error}; delete it and retry") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def picture(dataset: Dataset) -> Image.Image:
    """Draw some of the photos, with their classes in colour and unlabelled pixels in grey.

    Args:
        dataset: A data set with at least one pair.

    Returns:
        An RGB image of up to TILES photos, taken at equal distances.
    """
    chosen = dataset.samples[:: max(1, len(dataset.samples) // TILES)][:TILES]
    labels = card_options.default_labels(dataset.classes)
    card = ModelCard(labels=labels, palette=((0, 0, 0), *voc_palette(dataset.classes)[1:]))
    columns = min(TILE_COLUMNS, len(chosen))
    image = Image.new("RGB", (columns * TILE_PX, -(-len(chosen) // columns) * TILE_PX), "white")
    canvas = ImageDraw.Draw(image)
    for i, sample in enumerate(chosen):
        tile = report.overlay(sample.photo, np.asarray(sample.ids), card)
        tile.thumbnail((TILE_PX, TILE_PX))
        x, y = i % columns * TILE_PX, i // columns * TILE_PX
        image.paste(tile, (x, y))
        canvas.text((x + 3, y + 3), sample.name, "white", stroke_width=1, stroke_fill="black")
    return image


if __name__ == "__main__":
    cli.run(main)
