"""Pictures in and out, under the name that people import; see `swapae.pictures.images`."""

from swapae.pictures.images import Fitted, fit, load_image, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.saving import save_image

__all__ = ["Fitted", "fit", "list_images", "load_image", "save_image", "to_pil"]
