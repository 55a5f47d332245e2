"""Random variants of training samples: crops, flips, colours, pets moved elsewhere, and scenes with no pet.

Every function takes its randomness as an argument and keeps PIL images: photo RGB, target mode L. A soft target
is 255 for the object, 0 for the background, and a slope between them where nobody classified, so that it can be
scaled smoothly; any other target holds class ids, UNKNOWN where nobody classified.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from model.training.data import distractors
from model.training.data.samples import UNKNOWN, Sample

STEP = 0.3  # of the way from background to object
SOFT = [0] + [255] * (UNKNOWN - 1) + [128]  # from class ids

Pair = tuple[Image.Image, Image.Image]
Box = tuple[int, int, int, int]


class Augmenter:
    """Draws training pairs from samples.

    samples: what to draw from
    soft: whether targets are soft; class ids otherwise
    absent: share of the pairs that show no object at all
    moved: share of the pairs that show an object in front of another photo's background
    """

    def __init__(self, samples: Sequence[Sample], soft: bool = True, absent: float = 0.2, moved: float = 0.2) -> None:
        self.samples, self.soft = samples, soft
        self.targets = {sample.name: sloped(sample.ids) for sample in samples if sample.kept} if soft else {}
        self.absent, self.moved = absent, moved
        rng = np.random.default_rng(0)
        self.scenes = [(s, box) for s in samples for box in empty_boxes(s.ids, rng)]

    def draw(self, index: int, size_px: int, rng: np.random.Generator) -> Pair:
        """Make one pair of size_px x size_px from the sample of that index, or with no object at all."""
        kind = rng.random() if self.scenes else 1.0
        if kind < self.absent:
            photo = self.scene(size_px, rng)
            pair = photo, Image.new("L", photo.size, 0)
        else:
            sample = self.samples[index]
            pair = crop(sample.photo, self.target(sample), size_px, rng, self.soft)
            if kind < self.absent + self.moved:
                pair = paste(shrink(pair, rng, self.soft), self.scene(size_px, rng), self.soft)
        for _ in range(rng.integers(1, 4) if kind < self.absent else rng.integers(0, 2)):
            pair = distract(pair, self.scene(size_px, rng), rng) if self.scenes else pair
        photo, target = pair
        if rng.random() < 0.5:
            photo, target = (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in (photo, target))
        return shade(recolour(photo, rng), rng), target

    def target(self, sample: Sample) -> Image.Image:
        """Give a sample's target of the kind that is drawn."""
        if not self.soft:
            return sample.ids
        return self.targets.get(sample.name) or sloped(sample.ids)

    def scene(self, size_px: int, rng: np.random.Generator) -> Image.Image:
        """Cut a piece with no object in it out of some photo."""
        sample, box = self.scenes[rng.integers(len(self.scenes))]
        piece = sample.photo.resize((size_px, size_px), Image.Resampling.BILINEAR, box)
        return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else piece


def empty_boxes(target: Image.Image, rng: np.random.Generator, tries: int = 300, keep: int = 4) -> list[Box]:
    """Find boxes of at least a twentieth of the photo where every pixel is background, the largest first."""
    width, height = target.size
    sums = np.pad((np.asarray(target) > 0).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    found = []
    for _ in range(tries):
        w, h = (rng.uniform(0.2, 1, 2) * (width, height)).astype(int)
        x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        if sums[y + h, x + w] - sums[y, x + w] - sums[y + h, x] + sums[y, x] == 0 and w * h * 20 >= width * height:
            found.append((int(x), int(y), int(x + w), int(y + h)))
    return sorted(found, key=lambda b: (b[0] - b[2]) * (b[3] - b[1]))[:keep]


def sloped(ids: Image.Image, steps: int = 16) -> Image.Image:
    """Make a soft target, rising from the background to the object across the border that nobody classified.

    It rises from STEP to 1 - STEP: a jump at either edge of the border is easier to find than the foot of a slope.
    steps: how often each of its pixels is set to the mean of those around it: a border of up to about
        twice as many pixels becomes a slope, the middle of a wider area stays one half
    """
    fixed = ids.point(SOFT)
    free = ids.point([0] * UNKNOWN + [255])
    target = fixed
    for _ in range(steps if free.getbbox() else 0):
        target = Image.composite(target.filter(ImageFilter.BoxBlur(1.5)), fixed, free)
    return Image.composite(target.point(lambda level: 255 * STEP + level * (1 - 2 * STEP)), fixed, free)


def crop(photo: Image.Image, target: Image.Image, size_px: int, rng: np.random.Generator, soft: bool) -> Pair:
    """Cut 0.35 to 1 of the photo's area, at 3:4 to 4:3 of its aspect, and scale it to size_px."""
    width, height = photo.size
    area, aspect = rng.uniform(0.35, 1.0), np.exp(rng.uniform(-0.29, 0.29))
    w, h = min(width, width * (area * aspect) ** 0.5), min(height, height * (area / aspect) ** 0.5)
    x, y = rng.uniform(0, width - w + 1e-6), rng.uniform(0, height - h + 1e-6)
    box = (x, y, min(x + w, width), min(y + h, height))
    smooth = Image.Resampling.BILINEAR
    scaled = target.resize((size_px, size_px), smooth if soft else Image.Resampling.NEAREST, box)
    return photo.resize((size_px, size_px), smooth, box), scaled


def paste(pair: Pair, scene: Image.Image, soft: bool) -> Pair:
    """Put the pair's object before another scene; the border that nobody classified goes half and half."""
    photo, target = pair
    return Image.composite(photo, scene, target if soft else target.point(SOFT)), target


def shrink(pair: Pair, rng: np.random.Generator, soft: bool) -> Pair:
    """Make the pair's object smaller, somewhere in a target that is background elsewhere."""
    side = pair[0].size[0]
    size = int(side * rng.uniform(0.4, 1))
    corner = int(rng.integers(0, side - size + 1)), int(rng.integers(0, side - size + 1))
    photo, target = Image.new("RGB", (side, side)), Image.new("L", (side, side))
    photo.paste(pair[0].resize((size, size), Image.Resampling.BILINEAR), corner)
    target.paste(pair[1].resize((size, size), Image.Resampling.BILINEAR if soft else Image.Resampling.NEAREST), corner)
    return photo, target


def distract(pair: Pair, filling: Image.Image, rng: np.random.Generator) -> Pair:
    """Put something that is no object into the background: a solid thing, or a flat blob of another scene."""
    photo, target = pair
    filling = recolour(filling, rng, strength=1.6)
    if rng.random() < 0.7:
        drawn, where = distractors.draw(photo, filling, rng)
    else:
        noise = Image.fromarray(rng.integers(0, 256, (int(rng.integers(3, 6)),) * 2, np.uint8))
        where = noise.resize(photo.size, Image.Resampling.BICUBIC).point(lambda v: 255 * (v > 150))
        drawn = Image.composite(filling, photo, where)
    free = target.point(lambda v: 255 * (v == 0)).filter(ImageFilter.MinFilter(5))
    shape = np.minimum(np.asarray(where), np.asarray(free))
    edge = Image.fromarray(shape).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    return Image.composite(drawn, photo, edge), target


def shade(photo: Image.Image, rng: np.random.Generator, share: float = 0.3) -> Image.Image:
    """Let light and shadow fall on a share of the photos: a factor of about 0.4 to 1.4, soft or with edges."""
    if rng.random() >= share:
        return photo
    cells = int(rng.integers(2, 6))
    light = Image.fromarray(rng.integers(102, 256, (cells, cells), np.uint8))
    light = light.resize(photo.size, Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        middle, slope = int(rng.integers(150, 210)), rng.uniform(2, 8)
        light = light.point(lambda v: int(np.clip(178 + slope * (v - middle), 102, 255)))
    factor = np.asarray(light, np.float32)[..., None] * rng.uniform(1, 1.4) / 255
    return Image.fromarray((np.asarray(photo, np.float32) * factor).clip(0, 255).astype(np.uint8))


def recolour(photo: Image.Image, rng: np.random.Generator, strength: float = 1.0) -> Image.Image:
    """Vary brightness, contrast, saturation and hue; sometimes take the colour or the sharpness away."""
    for enhance, reach in ((ImageEnhance.Brightness, 0.35), (ImageEnhance.Contrast, 0.35), (ImageEnhance.Color, 0.5)):
        photo = enhance(photo).enhance(max(0.1, 1 + strength * rng.uniform(-reach, reach)))
    if rng.random() < 0.5:
        hue, saturation, value = photo.convert("HSV").split()
        turn = int(strength * rng.integers(-16, 17))
        photo = Image.merge("HSV", (hue.point(lambda v: (v + turn) % 256), saturation, value)).convert("RGB")
    if rng.random() < 0.08:
        photo = photo.convert("L").convert("RGB")
    if rng.random() < 0.15:
        photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    return photo
