"""Options on a picture after it was generated: what to keep of the photograph it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from PIL import Image
from torch import Tensor

from swapae.apps.cli.checks import check_feather
from swapae.apps.cli.session import Session
from swapae.editing import combine_luminance_and_colour, protect
from swapae.pictures.images import Fitted, to_pil


@dataclass(frozen=True)
class Finish:
    """What of the structure photograph the result keeps, pixel for pixel.

    Args:
        keep: luminance: its light and shade, so that only colours change; colour: its colours, so that only light
            and shade change.
        protect: grey picture of any size, white where the photograph stays exactly as it was.
        feather: pixels over which half of the fade from the protected region to the result goes.
    """

    keep: Literal["nothing", "luminance", "colour"] = "nothing"
    protect: Annotated[Path | None, tyro.conf.arg(metavar="MASK")] = None
    feather: int = 8

    def check(self) -> None:
        """Raise UserError for values that cannot be."""
        check_feather(self.feather)

    @property
    def plain(self) -> bool:
        """Whether nothing is kept."""
        return self.keep == "nothing" and self.protect is None

    def picture(self, session: Session, photograph: Fitted, result: Tensor) -> Image.Image:
        """The result [1, 3, H, W], finished and cropped."""
        if self.keep == "luminance":
            result = combine_luminance_and_colour(photograph.tensor, result)
        elif self.keep == "colour":
            result = combine_luminance_and_colour(result, photograph.tensor)
        if self.protect is not None:
            mask = session.mask(self.protect, photograph)
            result = protect(photograph.tensor, result, mask, radius=self.feather)
        return to_pil(result, photograph.size, photograph.opacity)


Finishing = Annotated[Finish, tyro.conf.OmitArgPrefixes]
PLAIN = Finish()
