"""Random training pairs: crops of photos, composed scenes, mosaics and scenes without an object, in varied light.

Every function takes its randomness as an argument. A pair is a photo (RGB) and its target (see targets) as PIL images
of one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from model.training.data import compose, distractors, targets
from model.training.data.compose import Box, Cutout, Pair
from model.training.data.samples import Sample
from model.training.data.split import breed

MAX_TILT_DEGREES = 20


@dataclass(frozen=True)
class Mixture:
    """What training pairs are made of, as shares of 1. The remainder are crops of single photos.

    Attributes:
        composed: Scenes of pasted objects.
        mosaic: Four photos in one.
        absent: Scenes without any object.
    """

    composed: float = 0.33
    mosaic: float = 0.06
    absent: float = 0.13


class Augmenter:
    """Draws training pairs from samples.

    Attributes:
        shown: The samples that show an object.
        absent: The samples that show none.
    """

    def __init__(self, samples: Sequence[Sample], soft: bool = True, mixture: Mixture | None = None) -> None:
        """Prepare soft targets, bounding boxes and empty regions of all samples.

        Args:
            samples: What to draw from.
            soft: Whether targets are soft; class ids otherwise.
            mixture: The shares of composed scenes, mosaics and scenes without an object.
        """
        self.shown = [sample for sample in samples if sample.mask_file]
        self.absent = [sample for sample in samples if not sample.mask_file]
        self.soft, self.mixture = soft, mixture or Mixture()
        self._targets = {s.photo_file: targets.soften(s.ids) for s in self.shown if s.cached} if soft else {}
        rng = np.random.default_rng(0)
        self._empty_regions: list[tuple[Sample, Box]] = []
        by_breed: dict[str, list[tuple[Sample, Box]]] = {}
        for sample in self.shown:
            ids = sample.ids
            self._empty_regions.extend((sample, box) for box in empty_boxes(ids, rng))
            if box := compose.object_box(ids):
                by_breed.setdefault(breed(sample.name), []).append((sample, box))
        self._cutouts = list(by_breed.values())

    @property
    def can_compose(self) -> bool:
        """Whether there are objects that can be cut out, and backgrounds to paste them on."""
        return bool(self._cutouts and (self.absent or self._empty_regions))

    def draw(self, index: int, size_px: int, rng: np.random.Generator) -> Pair:
        """Return one pair of size_px x size_px: of the sample shown[index], or a scene drawn at random."""
        photo, target = self._pair(index, size_px, rng)
        if rng.random() < 0.5:
            photo, target = (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in (photo, target))
        photo, target = tilt((photo, target), rng, self.soft)
        return shade(recolour(photo, rng), rng), target

    def composed(self, size_wh: tuple[int, int], rng: np.random.Generator) -> Pair:
        """Return a scene of one to four objects of random breeds on a background without any."""
        cutouts = []
        for _ in range(compose.count(rng)):
            group = self._cutouts[rng.integers(len(self._cutouts))]
            sample, box = group[rng.integers(len(group))]
            cutouts.append(Cutout(sample.photo, self._target(sample), box))
        return compose.scene(self._scene(size_wh, rng), cutouts, self._scene(size_wh, rng), rng, self.soft)

    def _pair(self, index: int, size_px: int, rng: np.random.Generator) -> Pair:
        mixture, draw, size_wh = self.mixture, rng.random(), (size_px, size_px)
        if not (self.absent or self._empty_regions):
            return self._crop(self.shown[index], size_wh, rng)
        if draw < mixture.absent:
            photo = self._scene(size_wh, rng)
            return self._distract((photo, Image.new("L", photo.size, 0)), int(rng.integers(0, 3)), rng)
        if draw < mixture.absent + mixture.composed and self.can_compose:
            return self.composed(size_wh, rng)
        if draw < mixture.absent + mixture.composed + mixture.mosaic:
            others = [self.shown[i] for i in rng.integers(len(self.shown), size=2)]
            pairs = [self._crop(sample, size_wh, rng) for sample in (self.shown[index], *others)]
            pairs.append((self._scene(size_wh, rng), Image.new("L", size_wh, 0)))
            return compose.mosaic([pairs[i] for i in rng.permutation(4)], rng, self.soft)
        return self._distract(self._crop(self.shown[index], size_wh, rng), int(rng.integers(0, 2)), rng)

    def _crop(self, sample: Sample, size_wh: tuple[int, int], rng: np.random.Generator) -> Pair:
        return crop(sample.photo, self._target(sample), size_wh, rng, self.soft)

    def _distract(self, pair: Pair, times: int, rng: np.random.Generator) -> Pair:
        for _ in range(times):
            pair = distract(pair, self._scene(pair[0].size, rng), rng)
        return pair

    def _target(self, sample: Sample) -> Image.Image:
        if not self.soft:
            return sample.ids
        return self._targets.get(sample.photo_file) or targets.soften(sample.ids)

    def _scene(self, size_wh: tuple[int, int], rng: np.random.Generator) -> Image.Image:
        """Cut a region without an object out of a photo: mostly of one that shows none, if there are such."""
        if self.absent and (rng.random() < 0.7 or not self._empty_regions):
            photo = self.absent[rng.integers(len(self.absent))].photo
            return crop(photo, None, size_wh, rng, self.soft)[0]
        sample, box = self._empty_regions[rng.integers(len(self._empty_regions))]
        return sample.photo.resize(size_wh, Image.Resampling.BILINEAR, box)


def empty_boxes(target: Image.Image, rng: np.random.Generator, tries: int = 300, keep: int = 4) -> list[Box]:
    """Return boxes of at least a twentieth of the photo in which every pixel is background, the largest first."""
    width, height = target.size
    sums = np.pad((np.asarray(target) > 0).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = []
    for _ in range(tries):
        w, h = (rng.uniform(0.2, 1, 2) * (width, height)).astype(int)
        x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        if sums[y + h, x + w] - sums[y, x + w] - sums[y + h, x] + sums[y, x] == 0 and w * h * 20 >= width * height:
            boxes.append((int(x), int(y), int(x + w), int(y + h)))
    return sorted(boxes, key=lambda b: (b[0] - b[2]) * (b[3] - b[1]))[:keep]


def crop(
    photo: Image.Image, target: Image.Image | None, size_wh: tuple[int, int], rng: np.random.Generator, soft: bool
) -> Pair:
    """Cut out 0.35 to 1 of the photo's area, at 3:4 to 4:3 of its aspect, and scale it.

    Args:
        photo: RGB.
        target: Of the photo's size; None for a photo that shows no object.
        size_wh: Width and height of the result.
        rng: The source of randomness.
        soft: Whether the target is soft.
    """
    width, height = photo.size
    area, aspect = rng.uniform(0.35, 1.0), np.exp(rng.uniform(-0.29, 0.29))
    w, h = min(width, width * (area * aspect) ** 0.5), min(height, height * (area / aspect) ** 0.5)
    x, y = rng.uniform(0, width - w + 1e-6), rng.uniform(0, height - h + 1e-6)
    box = (x, y, min(x + w, width), min(y + h, height))
    scaled = photo.resize(size_wh, Image.Resampling.BILINEAR, box)
    if target is None:
        return scaled, Image.new("L", size_wh, 0)
    return scaled, target.resize(size_wh, targets.resampling(soft), box)


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


def tilt(pair: Pair, rng: np.random.Generator, soft: bool, share: float = 0.3) -> Pair:
    """Rotate a share of the pairs by up to MAX_TILT_DEGREES; the corners become background of one colour."""
    if rng.random() >= share:
        return pair
    photo, target = pair
    angle, colour = rng.uniform(-MAX_TILT_DEGREES, MAX_TILT_DEGREES), tuple(rng.integers(0, 256, 3).tolist())
    rotated = photo.rotate(angle, Image.Resampling.BILINEAR, fillcolor=colour)
    return rotated, target.rotate(angle, targets.resampling(soft))


def shade(photo: Image.Image, rng: np.random.Generator, share: float = 0.3) -> Image.Image:
    """Apply light and shadow to a share of the photos: a factor of about 0.4 to 1.4, smooth or with edges."""
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
    """Vary brightness, contrast, saturation and hue; sometimes remove the colour or the sharpness."""
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
