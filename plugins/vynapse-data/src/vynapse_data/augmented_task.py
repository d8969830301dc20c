# SPDX-License-Identifier: MIT OR Apache-2.0
"""AugmentedTask: a task on images that changes by chance those that are learnt from, anew for each batch."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vynapse_core import Array, Dataset, SampledTask, Settings, Stream, Streams
from vynapse_data import augmentation
from vynapse_data.prefetch import prefetched

if TYPE_CHECKING:
    from vynapse_core import Experiment


class Augmentation(Settings):
    """A change of images, drawn anew for each of them."""

    @abstractmethod
    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images [B, C, H, W], changed."""


class Crop(Augmentation):
    """Moved by some pixels; what is uncovered is 0."""

    type: Literal["crop"] = "crop"
    """Which change this is."""
    padding: int = Field(2, gt=0)
    """How far at most, in pixels."""

    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images, moved."""
        return augmentation.crop(images, rng, self.padding)


class Flip(Augmentation):
    """Mirrored, left to right."""

    type: Literal["flip"] = "flip"
    """Which change this is."""
    rate: float = Field(0.5, gt=0, le=1)
    """Probability that an image is mirrored."""

    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images, some of them mirrored."""
        return augmentation.flip(images, rng, self.rate)


class Rotate(Augmentation):
    """Turned about the centre, with bilinear interpolation."""

    type: Literal["rotate"] = "rotate"
    """Which change this is."""
    degrees: float = Field(10.0, gt=0, le=180)
    """How far at most, in either direction."""

    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images, turned."""
        return augmentation.rotate(images, rng, self.degrees)


class Noise(Augmentation):
    """Normal noise on each pixel."""

    type: Literal["noise"] = "noise"
    """Which change this is."""
    sigma: float = Field(0.05, gt=0)
    """Its standard deviation, in units of the inputs."""

    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images, with noise."""
        return augmentation.noise(images, rng, self.sigma)


class Cutout(Augmentation):
    """A square set to 0.  Reference: DeVries & Taylor 2017."""

    type: Literal["cutout"] = "cutout"
    """Which change this is."""
    size: int = Field(8, gt=0)
    """Its side, in pixels."""

    def change(self, images: Array, rng: Stream) -> Array:
        """Return the images, each with a hole."""
        return augmentation.cutout(images, rng, self.size)


AnyAugmentation = Annotated[Crop | Flip | Rotate | Noise | Cutout, Field(discriminator="type")]
IMAGE = 3
"""Dimensions of an image: channels, rows, columns."""


class AugmentedTask(SampledTask):
    """A task on images, which change as `augment` says where they are learnt from, and nowhere else."""

    augment: tuple[AnyAugmentation, ...] = ()
    """Changes of the images to learn from, one after the other: tables with `type` as "crop", "flip", "rotate", "noise"
    or "cutout"."""

    @property
    def image(self) -> tuple[int, ...]:
        """Shape [C, H, W] of a sample as an image; one of two dimensions has a single channel."""
        shape = self.inputs
        return (1, *shape) if len(shape) == IMAGE - 1 else shape

    @property
    def augments(self) -> bool:
        """Whether images are changed."""
        return bool(self.augment)

    def batches(self, rows: Array, first: int, streams: Streams) -> Iterator[Dataset]:
        """Yield batches of changed images, made in the background; a change has a stream for each update."""
        data = self.data(self.splits[0])
        if not self.augment:
            return super().batches(rows, first, streams)

        def made(number: int) -> Dataset:
            batch = data.take(rows[number])
            images = batch.x.reshape(len(batch), *self.image)
            for place, change in enumerate(self.augment):
                images = change.change(images, streams("augment", first + number, place))
            return Dataset(images.reshape(batch.x.shape), batch.y)

        return prefetched(made, len(rows))

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where samples are no images, or change beyond recognition."""
        yield from super().problems(experiment)
        if not self.augment:
            return
        if len(self.image) != IMAGE:
            yield "augment", f"changes images [C, H, W] or [H, W], and a sample here has the shape {list(self.inputs)}"
            return
        least = min(self.image[1:])
        for place, change in enumerate(self.augment):
            for key in ("padding", "size"):
                if getattr(change, key, 0) >= least:
                    found = getattr(change, key)
                    yield f"augment.{place}.{key}", f"{found} pixels leave nothing of images of {least}; take less"
