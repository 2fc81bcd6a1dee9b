"""Pictures in and out, under the name that people import; see `swapae.pictures.images`."""

from swapae.pictures.images import Fitted, fit, list_images, load_image, save_image, to_pil

__all__ = ["Fitted", "fit", "list_images", "load_image", "save_image", "to_pil"]
