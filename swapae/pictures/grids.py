"""Contact sheets of swaps, as figures in the paper show them."""

from PIL import Image, ImageDraw, ImageFont, ImageOps

from swapae.rounding import ceil_div

_PAPER = (255, 255, 255)
_INK = (70, 70, 70)


def swap_grid(
    structures: list[Image.Image], textures: list[Image.Image], results: list[list[Image.Image]], cell: int
) -> Image.Image:
    """Lay out every structure (a row each) in every texture (a column each), inputs at the left and on top.

    Args:
        structures: RGB images of any size, each cropped about its centre to a square.
        textures: The same.
        results: `results[i][j]` is structure i in texture j.
        cell: The side of a square in pixels.

    Returns:
        An RGB image with "texture" written above and "structure" at the left.

    Raises:
        ValueError: `results` has not a row for each structure and a column for each texture.
    """
    if len(results) != len(structures) or any(len(row) != len(textures) for row in results):
        raise ValueError(f"expected {len(structures)} rows of {len(textures)} results")
    gutter = max(2, cell // 64)
    gap = 4 * gutter  # sets the inputs apart from the results
    font = ImageFont.load_default(size=max(12, cell // 9))
    words = [_word(text, font) for text in ("texture", "structure")]
    margin = max(word.height for word in words) + 4 * gutter

    def start(index: int) -> int:
        """Where the row or column begins: 0 holds the inputs."""
        return margin + index * (cell + gutter) + (gap if index else 0)

    sheet = Image.new("RGB", (start(len(textures) + 1), start(len(structures) + 1)), _PAPER)
    rows: list[list[Image.Image | None]] = [[None, *textures]]
    rows += [[first, *rest] for first, rest in zip(structures, results, strict=True)]
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            if picture is not None:
                square = ImageOps.fit(picture, (cell, cell), Image.Resampling.LANCZOS)
                sheet.paste(square, (start(column), start(row)))
    across, down = words[0], words[1].transpose(Image.Transpose.ROTATE_90)
    sheet.paste(across, ((start(1) + sheet.width - gutter - across.width) // 2, (margin - across.height) // 2))
    sheet.paste(down, ((margin - down.width) // 2, (start(1) + sheet.height - gutter - down.height) // 2))
    return sheet


def labelled_grid(pictures: list[list[Image.Image]], rows: list[str], columns: list[str], cell: int) -> Image.Image:
    """Lay out rows of pictures, words at the left of each row and above each column.

    Args:
        pictures: RGB images of any size, each cropped about its centre to a square.
        rows, columns: the words, "" for none.
        cell: The side of a square in pixels.

    Raises:
        ValueError: `pictures` has not a row for each word and in it a picture for each.
    """
    if len(pictures) != len(rows) or any(len(row) != len(columns) for row in pictures):
        raise ValueError(f"expected {len(rows)} rows of {len(columns)} pictures")
    gutter = max(2, cell // 64)
    font = ImageFont.load_default(size=max(12, cell // 9))
    left = [_word(text, font) if text else None for text in rows]
    above = [_word(text, font) if text else None for text in columns]
    margin = max((word.width for word in left if word), default=0) + 4 * gutter
    top = max((word.height for word in above if word), default=0) + 4 * gutter
    step = cell + gutter
    sheet = Image.new("RGB", (margin + len(columns) * step, top + len(rows) * step), _PAPER)
    for i, word in enumerate(left):
        if word:
            sheet.paste(word, (margin - 2 * gutter - word.width, top + i * step + (cell - word.height) // 2))
    for j, word in enumerate(above):
        if word:
            sheet.paste(word, (margin + j * step + (cell - word.width) // 2, (top - word.height) // 2))
    for i, row in enumerate(pictures):
        for j, picture in enumerate(row):
            square = ImageOps.fit(picture, (cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(square, (margin + j * step, top + i * step))
    return sheet


def contact_sheet(pictures: list[tuple[Image.Image, str]], cell: int, columns: int = 6) -> Image.Image:
    """Lay out pictures in rows, each with a word below.

    Args:
        pictures: RGB images of any size, each cropped about its centre to a square, and their words.
        cell: the side of a square in pixels.
        columns: pictures in a row.
    """
    gutter = max(2, cell // 32)
    font = ImageFont.load_default(size=max(12, cell // 12))
    below = cell // 12 + 3 * gutter
    rows = ceil_div(len(pictures), columns)
    width, height = min(columns, len(pictures)) * (cell + gutter) + gutter, rows * (cell + below) + gutter
    sheet = Image.new("RGB", (width, height), _PAPER)
    for number, (picture, text) in enumerate(pictures):
        row, column = divmod(number, columns)
        left, top = gutter + column * (cell + gutter), gutter + row * (cell + below)
        sheet.paste(ImageOps.fit(picture.convert("RGB"), (cell, cell), Image.Resampling.LANCZOS), (left, top))
        word = _word(text, font)
        sheet.paste(word, (left + (cell - word.width) // 2, top + cell + gutter))
    return sheet


def _word(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    """A word on paper, trimmed to its ink."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    word = Image.new("RGB", (right - left, bottom - top), _PAPER)
    ImageDraw.Draw(word).text((-left, -top), text, _INK, font)
    return word
