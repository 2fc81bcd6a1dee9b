"""Time: codes on their way between photographs, and the frames of a video in another texture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.editing.interpolation import check_finite, interpolate, interpolate_spherical
from swapae.editing.pictures import check_pictures, level_differences
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, Noise
from swapae.precision import float64

# 8-bit levels up to which two frames count as alike: a camera's noise.
STILL = 2


def ease(amount: float) -> float:
    """Ease in and out: 0 to 1 as 3 a^2 - 2 a^3, at rest at both ends; beyond [0, 1] it stays at them."""
    amount = min(max(amount, 0.0), 1.0)
    return amount * amount * (3 - 2 * amount)


def eased_amounts(frames: int, *, closed: bool = False) -> list[float]:
    """Amounts of an edit, one per frame, for sweeps of a slider.

    Args:
        frames: at least 2.
        closed: there and back, from 0 through 1 and up to just before 0, for films that repeat; an even number of
            frames shows 1 itself.

    Returns:
        Numbers in [0, 1], the first 0; the last 1 unless closed.

    Raises:
        ValueError: fewer than 2 frames.
    """
    if frames < 2:
        raise ValueError(f"expected at least 2 frames, got {frames}")
    if closed:
        return [ease(1 - abs(1 - 2 * frame / frames)) for frame in range(frames)]
    return [ease(frame / (frames - 1)) for frame in range(frames)]


def journey(stops: Sequence[Tensor], steps: int, *, closed: bool = False) -> Iterator[Tensor]:
    """Codes on their way through several photographs, along the sphere, with ease in and out at every stop.

    Textures and structures travel alike, each by a journey of its own. Two open stops are an interpolation.

    Args:
        stops: two or more textures [B, T], maps, or structures of one grid.
        steps: from one stop to the next, at least 1.
        closed: return to the first stop, for films that repeat; it is not shown again.

    Yields:
        Codes of unit length: each stop and `steps` - 1 after it. `len(stops) * steps` of them if closed, else
        `(len(stops) - 1) * steps + 1`.

    Raises:
        ValueError: fewer stops or steps, or stops that do not fit each other.
    """
    if len(stops) < 2 or steps < 1:
        raise ValueError(f"expected at least 2 stops and 1 step, got {len(stops)} and {steps}")
    ends = [*stops[1:], stops[0]] if closed else list(stops[1:])
    return travel(list(zip(stops, ends, strict=False)), steps, arrive=not closed)


def travel(legs: Sequence[tuple[Tensor, Tensor]], steps: int, *, arrive: bool) -> Iterator[Tensor]:
    """The codes of a journey; `arrive`: with the end of the last leg."""
    for start, end in legs:
        for step in range(steps):
            yield interpolate_spherical(start, end, ease(step / steps))
    if arrive:
        yield interpolate_spherical(*legs[-1], 1.0)


def restyle(
    model: Autoencoder,
    frames: Iterable[Tensor],
    texture: Tensor,
    *,
    amount: float = 1.0,
    noise: Noise = DEFAULT_NOISE_SEED,
) -> Iterator[Tensor]:
    """A video in the texture of a photograph, frame after frame as they come.

    Args:
        model: in evaluation mode.
        frames: each [B, 3, H, W] in [-1, 1], with sides that `model.encode` takes.
        texture: [B or 1, T], or a map.
        amount: 0 keeps each frame's own texture, 1 takes the photograph's (linear, section 4.3).
        noise: as in `Autoencoder.decode`. Frames share it: fresh noise would flicker (see `flicker`).

    Yields:
        [B, 3, H, W] per frame, clamped to [-1, 1], without gradients.

    Raises:
        ValueError: an amount that is not finite, or frames or a texture that do not fit the model.
    """
    check_finite("amount", amount)
    for frame in frames:
        with torch.no_grad():
            structure, own = model.encode(frame)
            codes = Codes(structure, interpolate(own, texture, amount))
            # Not held across `yield`: what a caller does between frames is no business of this switch.
            restyled = model.decode(codes, noise=noise).clamp(-1, 1)
        yield restyled


def flicker(inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> float | None:
    """How much a restyled video changes where the video itself stands still.

    The mean absolute difference of consecutive outputs, in 8-bit levels and over all three channels, at the pixels
    where no channel of the consecutive inputs differs by more than `STILL`; over all pairs of frames together.

    Args:
        inputs, outputs: as many frames of both, each [B, 3, H, W]; taken as clamped to [-1, 1].

    Returns:
        The figure, 0 for a video that stands as still as its input; None where no pixel stands still.

    Raises:
        ValueError: frames of different shapes, or another number of inputs than of outputs.
    """
    total, count = 0.0, 0
    earlier: tuple[Tensor, Tensor] | None = None
    for frame, output in zip(inputs, outputs, strict=True):
        check_pictures(frame, output)
        if earlier is not None:
            check_pictures(earlier[0], frame)
            moved = level_differences(frame, earlier[0]).amax(1, keepdim=True)
            difference = level_differences(output, earlier[1])
            alike = (moved <= STILL).expand_as(difference)
            total += float64(difference[alike]).sum().item()
            count += int(alike.sum())
        earlier = frame, output
    return total / count if count else None
