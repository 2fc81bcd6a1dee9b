"""Photographs and archives that are dropped to train on: what is taken, left out and refused."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from studio_page import encoded, painted

from swapae import UserError
from swapae.apps.page.training import dropped as dropped_module
from swapae.apps.page.training import intake
from swapae.apps.page.training.dropped import Dropped
from swapae.apps.page.training.intake import Given, take

PHOTO = encoded(painted(40, 30, seed=1))


def given(folder: Path, name: str, data: bytes, piece: int = 0) -> Given:
    """A file as it arrives, in pieces of so many bytes."""
    folder.mkdir(exist_ok=True)
    starts = range(0, len(data), piece or len(data))
    pieces = [folder / f"{name.replace('/', '_')}.{start}" for start in starts]
    for start, path in zip(starts, pieces, strict=True):
        path.write_bytes(data[start : start + (piece or len(data))])
    return Given(name, pieces)


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], **options: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def test_photographs_and_archives_are_taken_and_the_rest_is_told(tmp_path: Path) -> None:
    archive = packed(
        ("trip/a.png", PHOTO),
        ("trip/b/a.PNG", PHOTO + b" "),
        ("__MACOSX/trip/._a.png", b"x"),
        ("trip/.hidden.png", b"x"),
        ("trip/notes.txt", b"x"),
        ("trip/more.zip", packed(("c.png", PHOTO))),
        ("trip/broken.jpg", b"no picture"),
    )
    files = [given(tmp_path / "sent", "one: 1.png", PHOTO), given(tmp_path / "sent", "trip.ZIP", archive, piece=97)]
    left_out = dict(take(files, tmp_path / "kept"))
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["a.png", "a_2.png", "one_ 1.png"]
    assert (tmp_path / "kept/a_2.png").read_bytes() == PHOTO + b" "
    assert left_out.keys() == {"notes.txt", "more.zip", "broken.jpg"}
    assert "not a picture" in left_out["broken.jpg"] and "not opened" in left_out["more.zip"]


def linked() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def claiming(data: bytes, size: int) -> bytes:
    """An archive whose list says that its one file has so many bytes."""
    at = data.rindex(b"PK\1\2") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


def locked(data: bytes) -> bytes:
    at = data.rindex(b"PK\1\2") + 8
    return data[:at] + b"\1" + data[at + 1 :]


def damaged(data: bytes) -> bytes:
    """An archive of one packed file, whose bytes are changed."""
    start, end = 60, data.rindex(b"PK\1\2") - 10
    return data[:start] + bytes(255 - byte for byte in data[start:end]) + data[end:]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (packed(("/etc/a.png", PHOTO)), "holds '/etc/a.png', a place outside of it"),
        (packed(("x/../../a.png", PHOTO)), "a place outside of it"),
        (packed(("C:\\a.png", PHOTO)), "a place outside of it"),
        (packed(("..\\a.png", PHOTO)), "a place outside of it"),
        (packed((linked(), b"/etc/passwd")), "a link or a device"),
        (packed(("/".join("abcdefghij") + ".png", PHOTO)), "folders more than 8 deep"),
        (claiming(packed(("a.png", PHOTO)), 2**32 - 2), "would unpack to 4 GB, over 2 GB"),
        (locked(packed(("a.png", PHOTO))), "needs a password"),
        (packed(("a.png", PHOTO)).replace(PHOTO[50:60], bytes(10)), "is damaged"),
        (packed(("a.png", PHOTO))[:-30], "is damaged"),
        (damaged(packed(("a.png", PHOTO), compression=zipfile.ZIP_DEFLATED)), "is damaged"),
        (damaged(packed(("a.png", PHOTO), compression=zipfile.ZIP_BZIP2)), "is damaged"),
        (damaged(packed(("a.png", PHOTO), compression=zipfile.ZIP_LZMA)), "is damaged"),
        (PHOTO, "is damaged, or no .zip archive"),
    ],
    ids=[
        *("absolute", "up", "drive", "backslash", "link", "deep", "bomb", "locked", "bits", "cut"),
        *("deflated", "bzip2", "lzma", "other"),
    ],
)
def test_archives_that_cannot_be_trusted_are_refused_whole(tmp_path: Path, data: bytes, complaint: str) -> None:
    good = given(tmp_path / "sent", "good.png", PHOTO)
    with pytest.raises(UserError) as caught:
        take([good, given(tmp_path / "sent", "photos.zip", data)], tmp_path / "kept")
    assert complaint in str(caught.value) and "'photos.zip'" in str(caught.value)
    assert not list((tmp_path / "kept").iterdir())


def test_a_list_of_very_many_files_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(*((f"{number}.txt", b"") for number in range(60)))
    monkeypatch.setattr(intake, "MOST_ENTRIES", 50)
    with pytest.raises(UserError, match="holds 60 files, over 50"):
        take([given(tmp_path / "sent", "photos.zip", archive)], tmp_path / "kept")
    monkeypatch.setattr(intake, "MOST_READ", 1000)
    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", lambda *_: pytest.fail("the list was parsed"), raising=True)
    with pytest.raises(UserError, match="lists over 50 files"):
        take([given(tmp_path / "sent", "photos.zip", archive)], tmp_path / "kept")


def test_a_file_that_is_more_than_it_says_is_read_no_further(tmp_path: Path) -> None:
    data = packed(("a.bmp", bytes(10**7)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="is damaged"):
        take([given(tmp_path / "sent", "photos.zip", claiming(data, 100))], tmp_path / "kept")


@pytest.mark.parametrize(
    ("name", "limit", "complaint"),
    [("MOST_PHOTOGRAPHS", 2, "more than 2 photographs"), ("MOST_BYTES", 2 * len(PHOTO), "have over")],
)
def test_too_much_is_refused_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int, complaint: str
) -> None:
    take([given(tmp_path / "sent", "a.png", PHOTO)], tmp_path / "kept")
    monkeypatch.setattr(intake, name, limit)
    more = [given(tmp_path / "sent", f"{number}.png", PHOTO) for number in range(2)]
    with pytest.raises(UserError, match=complaint):
        take(more, tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["a.png"]


def test_a_large_file_and_one_of_too_many_pixels_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = PHOTO[:16] + struct.pack(">II", 60_000, 60_000) + PHOTO[24:]
    monkeypatch.setattr(intake, "MAX_FILE_SIZE", 2**20)
    files = [
        given(tmp_path / "sent", "wide.png", wide),
        given(tmp_path / "sent", "large.png", PHOTO + bytes(2**20)),
        given(tmp_path / "sent", "good.png", PHOTO),
    ]
    left_out = dict(take(files, tmp_path / "kept"))
    assert left_out["large.png"] == "over 1 MB: make it smaller first" and "wide.png" in left_out
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["good.png"]


def test_a_full_disk_is_a_sentence_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [given(tmp_path / "sent", f"{number}.png", PHOTO) for number in range(2)]
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "1.png":
            write(path, data[:10])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot be kept here \(No space left on device\)"):
        take(files, tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_a_piece_that_cannot_be_read_is_no_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = given(tmp_path / "sent", "photos.zip", packed(("a.png", PHOTO)))
    # Deleted once the list of files was read.
    monkeypatch.setattr(intake, "check_entries", lambda *_: archive.pieces[0].unlink())
    with pytest.raises(UserError, match=r"cannot be kept here \(No such file or directory\)"):
        take([archive], tmp_path / "kept")


def test_dropped_photographs_gather_under_a_name_and_go_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = Dropped(tmp_path / "dropped")
    name, count, _ = dropped.add("../elsewhere", [given(tmp_path / "sent", "a.png", PHOTO)])
    assert count == 1 and dropped.find(name).parent == tmp_path / "dropped"
    assert dropped.add(name, [given(tmp_path / "sent", "b.png", PHOTO)])[:2] == (name, 2)
    other = dropped.add("", [given(tmp_path / "sent", "c.png", PHOTO)])[0]
    dropped.forget(other)
    for gone in (other, "", None, "../sent", "0" * 32):
        with pytest.raises(UserError, match="drop them again"):
            dropped.find(gone)
    monkeypatch.setattr(dropped_module, "KEPT", -1.0)
    dropped.forget_old()
    assert not list((tmp_path / "dropped").iterdir())
