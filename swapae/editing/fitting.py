"""Make `Directions` from a model's codes of many photographs: principal axes, attributes that are measured, classes.

Principal axes are of textures, of structure codes with every place a sample, and of structure codes as wholes. For the
last, codes on another grid than a square photograph's of the model's size are resized to that bilinearly.

Photographs are ranked by each attribute of `attributes`; the mean texture of the highest tenth less that of the
lowest is its direction. A class has the mean texture of its photographs less that of all others. Every named
direction is scaled by what it does to decoded pictures: a gain of 1 moves an attribute by its standard deviation over
the photographs, and for a class what tells its photographs from others by their colours and attributes as far as they
are apart. A direction between two sets of photographs (`add_direction`) is scaled as a class is, or as the attribute is
that it is named after.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.codes import Codes
from swapae.editing.attributes import ATTRIBUTES, picture_statistics
from swapae.editing.calibration import Calibration
from swapae.editing.directions import AXIS, DIRECTION_NAME, Direction, Directions
from swapae.errors import UserError
from swapae.layers import unit_length
from swapae.model import Autoencoder
from swapae.precision import float64
from swapae.rounding import ceil_div

TEXTURE_AXES = 16
LAYOUT_AXES = 8
LAYOUTS = 4000  # photographs of which axes of whole structure codes are made, at most: the work grows with its cube
PLACES = 64  # of each photograph's structure code that go into its axes
FEWEST = 20  # photographs, and a quarter of it in a class
# Photographs that directions are calibrated on: a share, so that a few take little time, and at most so many.
CALIBRATION_SHARE, CALIBRATED_ON = 4, 16
SAME = 1e-6  # a difference of codes, or of statistics, that is none

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DirectionSamples:
    """What is measured of photographs, one entry each.

    Attributes:
        codes: with structures in half precision, which are many.
        places: [n, K] of the structure code, places spread over it.
        all_statistics: [1, 12], `picture_statistics`.
        all_attributes: [attributes], in the order of `ATTRIBUTES`.
    """

    codes: list[Codes]
    places: list[Tensor]
    all_statistics: list[Tensor]
    all_attributes: list[Tensor]

    @classmethod
    def of(cls, model: Autoencoder, photographs: Iterable[Tensor]) -> DirectionSamples:
        """Encode and measure photographs, each [1, 3, H, W], or with opacity as a fourth channel."""
        measured = cls([], [], [], [])
        for photograph in photographs:
            image = photograph[:, :3]
            opacity = (photograph[:, 3:].float() + 1) / 2 if photograph.shape[1] == 4 else None
            codes = model.encode(image, opacity)
            flat = codes.structure[0].flatten(1).T  # [h w, K]
            measured.codes.append(Codes(codes.structure.half(), codes.texture))
            measured.places.append(flat[:: max(1, len(flat) // PLACES)])
            measured.all_statistics.append(picture_statistics(image.float()))
            values = [attribute.measure(image.float()) for attribute in ATTRIBUTES.values()]
            measured.all_attributes.append(torch.cat(values))
        return measured

    def __len__(self) -> int:
        return len(self.codes)

    def joined(self, other: DirectionSamples) -> DirectionSamples:
        """These photographs, then others."""
        return DirectionSamples(
            self.codes + other.codes,
            self.places + other.places,
            self.all_statistics + other.all_statistics,
            self.all_attributes + other.all_attributes,
        )

    @property
    def texture(self) -> Tensor:
        """[N, T], float32."""
        return torch.cat([code.texture for code in self.codes]).float()

    @property
    def statistics(self) -> Tensor:
        """[N, 12]."""
        return torch.cat(self.all_statistics)

    @property
    def attributes(self) -> Tensor:
        """[N, attributes]."""
        return torch.stack(self.all_attributes)

    def sample(self) -> list[Codes]:
        """Codes of some photographs, to decode."""
        kept = self.codes[:: max(CALIBRATION_SHARE, ceil_div(len(self.codes), CALIBRATED_ON))]
        return [Codes(code.structure.to(code.texture), code.texture) for code in kept]

    def directions(self, model: Autoencoder, named: Mapping[str, Direction]) -> Directions:
        """Means and principal axes of these photographs, with named directions of the model they were encoded by."""
        texture = self.texture
        mean, axes = principal_axes(texture, min(TEXTURE_AXES, len(texture) - 1, texture.shape[1]))
        mean_structure, structure_axes = principal_axes(torch.cat(self.places), self.places[0].shape[1])
        structures = [code.structure for code in self.codes[:: ceil_div(len(self.codes), LAYOUTS)]]
        side = model.config.image_size // model.config.stride
        layouts = layout_axes(structures, side, LAYOUT_AXES)
        return Directions(unit_length(mean[None])[0], axes, mean_structure, structure_axes, named, layouts)


@torch.no_grad()
def make_directions(
    model: Autoencoder,
    photographs: Iterable[Tensor],
    classes: Sequence[str] | None = None,
    track: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Directions:
    """Directions of a model from photographs of the kind it knows.

    Args:
        model: encodes all of them and decodes some.
        photographs: each [1, 3, H, W] in [-1, 1], or with opacity as a fourth channel (`Fitted.with_opacity`): what is
            transparent does not count in textures. 20 or more; read once.
        classes: of each photograph; each class of more than one gives a direction of its name.
        track: is given the names of the directions and gives them back, to show progress.

    Raises:
        UserError: too few photographs, in all or of a class, or a class whose name is that of an attribute or odd.

    What all photographs are alike in gets no direction, but a warning.
    """
    found = DirectionSamples.of(model, photographs)
    check(classes, len(found))
    texture, calibration = found.texture, Calibration(model, found.sample())
    named = {}
    for name in track([*ATTRIBUTES, *sorted(set(classes or ()))]):
        attribute = ATTRIBUTES.get(name)
        if attribute is not None:
            values = found.attributes[:, list(ATTRIBUTES).index(name)]
            order, tenth = values.argsort(), max(1, len(values) // 10)
            vector = mean_difference(texture[order[-tenth:]], texture[order[:tenth]])
            score, change, words = attribute.measure, values.std().item(), (attribute.less, attribute.more)
        else:
            belongs = torch.tensor([one == name for one in classes or ()])
            vector = mean_difference(texture[belongs], texture[~belongs])
            score, change = separation(found.statistics, belongs)
            words = (f"less like {name}", f"more like {name}")
        if change <= SAME or vector.norm() < SAME:  # as the warmth of grey photographs
            logger.warning("no direction %s: all photographs are alike in it", name)
            continue
        vector, share = calibration.scale(vector, score, change)
        report(name, share)
        named[name] = Direction(vector, *words)
    return found.directions(model, named)


@torch.no_grad()
def add_direction(
    model: Autoencoder,
    directions: Directions | None,
    name: str,
    having: Iterable[Tensor],
    lacking: Iterable[Tensor],
    *,
    less: str | None = None,
    more: str | None = None,
) -> Directions:
    """Directions and one more, from photographs that have something to photographs that do not.

    Args:
        model: encodes all of them and decodes some.
        directions: to add to; if None, means and axes are those of these photographs.
        name: of the direction; one of that name is replaced.
        having, lacking: photographs as of `make_directions`, 5 or more of each; read once.
        less, more: the words for a negative and a positive gain.

    Raises:
        UserError: too few photographs, a name that cannot be, or sets that do not differ.
    """
    if not DIRECTION_NAME.fullmatch(name) or AXIS.fullmatch(name):
        raise UserError(
            f"a direction cannot have the name {name!r:.60}: use a-z, 0-9, space, _ and -, but no axis' name"
        )
    kinds = [DirectionSamples.of(model, photographs) for photographs in (having, lacking)]
    if min(map(len, kinds)) < FEWEST // 4:
        counts = " and ".join(str(len(kind)) for kind in kinds)
        raise UserError(f"a direction takes {FEWEST // 4} photographs or more of each kind; found {counts}")
    found = kinds[0].joined(kinds[1])
    belongs = torch.arange(len(found)) < len(kinds[0])
    vector = mean_difference(found.texture[belongs], found.texture[~belongs])
    if vector.norm() < SAME:
        raise UserError(f"there is no direction {name!r}: photographs of both kinds have the same textures")
    attribute = ATTRIBUTES.get(name)
    if attribute:
        score, apart = attribute.measure, found.attributes[:, list(ATTRIBUTES).index(name)].std().item()
    else:
        score, apart = separation(found.statistics, belongs)
    # Kinds that no statistic tells apart leave nothing to measure: then a gain of 1 is their difference as it is.
    if apart > SAME:
        vector, share = Calibration(model, found.sample()).scale(vector, score, apart)
        report(name, share)
    least, greatest = (attribute.less, attribute.more) if attribute else (f"less {name}", f"more {name}")
    direction = Direction(vector, less or least, more or greatest)
    if directions is None:
        return found.directions(model, {name: direction})
    return dataclasses.replace(directions, named={**directions.named, name: direction})


def check(classes: Sequence[str] | None, count: int) -> None:
    """Raise UserError for too few photographs, or classes that cannot be directions."""
    if count < FEWEST:
        raise UserError(f"directions take {FEWEST} or more photographs, and some hundreds to be good; found {count}")
    names = set(classes or ())
    if classes is not None and len(names) < 2:
        raise UserError(f"found {len(names)} class: a direction to a class takes photographs of others too")
    for name in names:
        if name in ATTRIBUTES or not DIRECTION_NAME.fullmatch(name):
            raise UserError(
                f"a direction cannot have the name {name!r:.60} of this class: use a-z, 0-9, space, _ and -"
            )
        if classes is not None and classes.count(name) < FEWEST // 4:
            raise UserError(f"class {name!r} has {classes.count(name)} photographs; {FEWEST // 4} or more are needed")


def report(name: str, share: float) -> None:
    """Warn of a direction that does less than a gain of 1 promises."""
    if share < 0.9:
        logger.warning("%s: the longest edit brings %.0f %% of what a gain of 1 is meant to", name, 100 * share)


def separation(statistics: Tensor, belongs: Tensor) -> tuple[Callable[[Tensor], Tensor], float]:
    """What tells a class from others best by a weighted sum of statistics (Fisher's linear discriminant).

    Args:
        statistics: [N, S], `picture_statistics` of photographs.
        belongs: [N], whether it is of the class.

    Returns:
        The score, images [B, 3, H, W] -> [B], and how far the means of class and others are apart in it.
    """
    difference = float64(mean_difference(statistics[belongs], statistics[~belongs]))
    scatters = [torch.cov(float64(part).T) * len(part) for part in (statistics[belongs], statistics[~belongs])]
    within = (scatters[0] + scatters[1]) / len(statistics)
    # A little of each statistic's own variance keeps those that are nearly sums of others from huge weights.
    # So does a floor under it where all photographs are alike, as the colours of grey ones.
    ridge = 0.05 * within.diagonal().clamp_min(1e-8).diag()
    weights = torch.linalg.solve(within + ridge, difference).float()
    apart = (difference.float() @ weights).item()
    weights = weights.to(statistics.device)
    return lambda images: picture_statistics(images) @ weights, apart


def principal_axes(samples: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and principal axes of samples (PCA), in float64.

    Args:
        samples: [N, C].
        count: of axes, at most N - 1 and C.

    Returns:
        Mean [C], and axes [count, C], largest first, each as long as the samples' deviation along it. Signs are such
        that the largest component of an axis is positive, so that they do not depend on the machine.
    """
    device, samples = samples.device, float64(samples)
    if not 1 <= count <= min(len(samples) - 1, samples.shape[1]):
        raise ValueError(f"{len(samples)} samples of {samples.shape[1]} numbers have no {count} axes")
    mean = samples.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(samples.T))
    axes = vectors.T.flip(0)[:count] * values.flip(0)[:count].clamp(min=0).sqrt()[:, None]
    return mean.float().to(device), signed(axes).float().to(device)


def layout_axes(structures: Sequence[Tensor], side: int, most: int) -> Tensor:
    """Principal axes of whole structure codes, each a sample (PCA), in float64.

    By the matrix of the samples' inner products, which is small where there are more numbers in a code than codes; one
    channel is held at a time.

    Args:
        structures: each [1, K, h, w]; resized bilinearly to `side` x `side`.
        side: of the axes' grid.
        most: axes, where the samples have so many.

    Returns:
        [n, K, side, side], largest first, each as long as the samples' deviation along it, signed as of
        `principal_axes`; fewer than `most` if the samples, or their numbers, are no more than that.
    """

    def centred(channel: int) -> Tensor:
        chosen = (one[:, channel : channel + 1].float() for one in structures)
        samples = torch.cat([F.interpolate(one, (side, side), mode="bilinear") for one in chosen])
        samples = float64(samples.flatten(1))
        return samples - samples.mean(0)

    channels, degrees = structures[0].shape[1], len(structures) - 1
    products = sum(samples @ samples.T for samples in map(centred, range(channels)))
    count = min(most, degrees, channels * side**2)
    weights = torch.linalg.eigh(products)[1].T.flip(0)[:count] / degrees**0.5  # [count, N]
    axes = torch.cat([weights @ centred(channel) for channel in range(channels)], 1)
    return signed(axes).float().view(count, channels, side, side).to(structures[0].device)


def signed(axes: Tensor) -> Tensor:
    """Axes [n, C] with signs such that the largest component of each is positive."""
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return axes * largest.sign()


def mean_difference(having: Tensor, lacking: Tensor) -> Tensor:
    """Mean texture of photographs that have an attribute less that of those that do not: [N, T], [M, T] -> [T].

    Raises:
        UserError: one of the sets is empty.
    """
    if not len(having) or not len(lacking):
        raise UserError("a direction takes photographs that have the attribute and photographs that do not")
    return having.mean(0) - lacking.mean(0)
