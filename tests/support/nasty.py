"""Pictures that are damaged, odd or none, of `tests/nasty`."""

from pathlib import Path

NASTY = Path(__file__).parents[1] / "nasty"
UNREADABLE = [
    "README.txt",
    "pillow_broken.png",
    "pillow_decompression_bomb.ico",
    "pillow_unknown_compression_method.png",
    "pillow_zero_width.gif",
    "sharp_check.svg",
]
