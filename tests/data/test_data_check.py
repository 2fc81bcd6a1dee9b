"""`swapae data check` on folders and LMDBs with one of every fault."""

import io
import json
import os
import subprocess
import sys

import lmdb
import numpy as np
import pytest
from PIL import Image, ImageCms

from swapae.apps.cli import main
from swapae.data.check import NEAR_BITS, check, near_pairs
from swapae.data.picture_files import FolderSource
from swapae.pictures.images import load_image
from swapae.pictures.inspection import inspect


def photograph(seed, size=(200, 150), cells=(12, 9)):
    """Smooth coloured noise, of which no two seeds are alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (cells[1], cells[0], 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for seed in range(6):
        photograph(seed).save(folder / f"good_{seed}.png")
    photograph(0).save(folder / "sub/same.bmp")
    photograph(1).save(folder / "sub/near.jpg", quality=80)
    photograph(2).resize((260, 195)).save(folder / "sub/near_larger.png")
    photograph(7, (300, 90)).save(folder / "sub/good_3.webp", lossless=True)
    photograph(8).convert("L").save(folder / "grey.jpg", quality=90)
    photograph(9, (60, 40)).save(folder / "tiny.png")
    photograph(10).convert("CMYK").save(folder / "cmyk.jpg")
    photograph(11).quantize(16).save(folder / "palette.png")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    photograph(12).save(folder / "lab_profile.png", icc_profile=lab)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photograph(13).save(folder / "srgb_profile.png", icc_profile=srgb)
    for name, level in {"flat_1.png": 40, "flat_2.png": 200}.items():
        Image.new("RGB", (150, 150), (level, 90, 30)).save(folder / name)
    whole = (folder / "good_5.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("not looked at")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["swapae", "data", "check", *map(str, arguments)])
        status = main()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("workers", [0, 2])
def test_every_fault_is_found(folder, run, tmp_path, workers):
    before = snapshot(folder)
    status, out, _ = run(folder, "--json", tmp_path / "report.json", "--workers", workers)
    assert status == 0 and snapshot(folder) == before
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["pictures"] == 20
    assert [name for name, _ in report["unreadable"]] == ["cut.png", "text.jpg"]
    assert report["tiny"] == [["sub/good_3.webp", "300x90"], ["tiny.png", "60x40"]]
    assert report["grey"] == ["grey.jpg"]
    assert report["duplicates"] == [["good_0.png", "sub/same.bmp"]]
    assert report["near_duplicates"] == [["good_1.png", "sub/near.jpg"], ["good_2.png", "sub/near_larger.png"]]
    odd = dict(report["odd"])
    assert set(odd) == {"cmyk.jpg", "palette.png", "lab_profile.png"}
    assert odd["cmyk.jpg"] == "mode CMYK" and odd["palette.png"] == "mode P" and "Lab" in odd["lab_profile.png"]
    assert report["short_sides"] == {"0-63": 1, "64-127": 1, "128-255": 16}
    assert len(report["kept"]) == 18 - 2 - 1
    for line in ("unreadable: 2", "tiny: 2", "grey: 1", "exact duplicates, groups: 1", "near duplicates, groups: 2"):
        assert line in out.splitlines()
    assert "  'good_0.png' = 'sub/same.bmp'" in out and "text.jpg" in out


def test_a_clean_copy_is_upright_rgb_of_one_size_and_goes_on(folder, run, tmp_path):
    before, clean = snapshot(folder), tmp_path / "clean"
    status, out, _ = run(folder, "--write", clean, "--size", 140, "--min-size", 80, "--workers", 2)
    assert status == 0 and snapshot(folder) == before
    written = {path.relative_to(clean).as_posix(): Image.open(path) for path in clean.rglob("*") if path.is_file()}
    assert len(written) == 16 and f"16 pictures in {str(clean)!r}" in out
    assert {"good_1.jpg", "grey.jpg", "sub/good_3.jpg", "cmyk.jpg"} <= set(written)
    assert not {"sub/same.jpg", "tiny.jpg", "cut.jpg"} & set(written)
    for image in written.values():
        assert image.format == "JPEG" and image.mode == "RGB" and min(image.size) == 140
        assert image.layer[0][1:3] == (1, 1)  # full colour resolution
    expected = np.asarray(load_image(folder / "good_4.png").resize((187, 140), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(np.asarray(written["good_4.jpg"]).astype(int) - expected).mean() < 2
    (clean / "good_1.jpg").unlink()
    (clean / "good_2.jpg").write_bytes((clean / "good_2.jpg").read_bytes()[:100])
    kept = (clean / "good_4.jpg").stat().st_mtime_ns
    assert run(folder, "--write", clean, "--size", 140, "--min-size", 80)[0] == 0
    assert min(Image.open(clean / "good_1.jpg").size) == 140
    assert (clean / "good_4.jpg").stat().st_mtime_ns == kept
    changed = Image.open(folder / "good_4.png").transpose(Image.Transpose.ROTATE_180)
    changed.save(folder / "good_4.png")
    os.utime(folder / "good_4.png", ns=(kept + 10**9, kept + 10**9))
    assert run(folder, "--write", clean, "--size", 140, "--min-size", 80)[0] == 0
    again = np.asarray(Image.open(clean / "good_4.jpg").transpose(Image.Transpose.ROTATE_180)).astype(int)
    assert np.abs(again - expected).mean() < 2
    assert not [path for path in clean.rglob(".*")]
    assert run(clean, "--write", tmp_path / "small", "--size", 64, "--workers", 0)[0] == 0
    assert {path.suffix for path in (tmp_path / "small").rglob("*.*")} == {".png"}


def test_names_that_differ_by_their_suffix_both_get_a_copy(tmp_path, run):
    for seed, name in enumerate(("a.png", "a.bmp", "A.tif", "a_2.png")):
        (tmp_path / "photos").mkdir(exist_ok=True)
        photograph(seed).save(tmp_path / "photos" / name)
    assert run(tmp_path / "photos", "--write", tmp_path / "clean", "--size", 130)[0] == 0
    assert len(list((tmp_path / "clean").iterdir())) == 4


def test_an_lmdb_is_checked_and_copied(tmp_path, run):
    environment = lmdb.open(str(tmp_path / "db"), map_size=2**24)
    with environment.begin(write=True) as transaction:
        for number, key in enumerate((b"a/b", b"../escape", b"c" * 400, b"same")):
            buffer = io.BytesIO()
            photograph(number % 3).save(buffer, "PNG")
            transaction.put(key, buffer.getvalue())
        transaction.put(b"bad", b"no picture")
    environment.close()
    status, out, _ = run(tmp_path / "db", "--write", tmp_path / "clean", "--size", 130, "--workers", 2)
    assert status == 0 and "db#bad" in out and "exact duplicates, groups: 1" in out
    names = sorted(path.name for path in (tmp_path / "clean").iterdir())
    assert len(names) == 3 and "..%2Fescape.jpg" in names and "a%2Fb.jpg" in names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", "db"]


@pytest.mark.parametrize("arguments", [
    ("missing",), ("empty",), ("photos", "--size", 4), ("photos", "--min-size", 0), ("photos", "--workers", -1),
    ("photos", "--write", "photos/clean"), ("photos", "--write", "photos"), ("photos", "--json", "missing/report.json"),
    ("photos", "--json", "report.txt"), ("photos", "--write", "photos/grey.jpg/clean"), ("photos", "--unknown"), (),
])  # fmt: skip
def test_bad_input_is_one_line(folder, run, tmp_path, monkeypatch, arguments):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and err.startswith("swapae: ") and err.count("\n") == 1
    assert snapshot(tmp_path) == before


def test_all_pictures_unreadable(tmp_path, run):
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    status, out, _ = run(tmp_path, "--workers", 0)
    assert status == 0 and "1 pictures, 0 of them readable" in out


@pytest.mark.slow
def test_the_installed_command(folder):
    done = subprocess.run(
        [sys.executable, "-m", "swapae", "data", "check", folder, "--workers", "1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0 and "unreadable: 2" in done.stdout and "100%" in done.stderr


def test_near_pairs_are_all_found_and_nothing_else():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 2000, np.uint64)
    for place in range(200):
        flipped = sum((1 << int(bit) for bit in random.choice(64, place % 6, replace=False)), 0)
        hashes[1000 + place] = hashes[place] ^ np.uint64(flipped)
    expected = {(place, 1000 + place) for place in range(200) if place % 6 <= NEAR_BITS}
    assert set(near_pairs(hashes)) == expected
    assert near_pairs(hashes[:0]) == [] and near_pairs(hashes[:1]) == []


def test_many_equal_bands_take_no_quadratic_time():
    """Half of the hashes share their upper 40 bits: all of them with all would be a billion pairs and take minutes."""
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 100_000, np.uint64)
    hashes[::2] &= np.uint64(2**24 - 1)
    hashes[:1000] = hashes[0]
    pairs = near_pairs(hashes)
    assert {(0, place) for place in range(1, 1000)} <= set(pairs)


def test_a_photograph_is_like_its_smaller_and_lossier_copies_only():
    first = inspect(photograph(0)).likeness
    for size, quality in (((100, 75), 95), ((400, 300), 60), ((200, 150), 40)):
        buffer = io.BytesIO()
        photograph(0).resize(size).save(buffer, "JPEG", quality=quality)
        assert bin(first ^ inspect(buffer.getvalue()).likeness).count("1") <= NEAR_BITS
    others = [inspect(photograph(seed)).likeness for seed in range(1, 40)]
    assert min(bin(first ^ other).count("1") for other in others) > 3 * NEAR_BITS
    assert inspect(Image.new("RGB", (20, 20), "red")).likeness is None


def test_greyness_of_tinted_and_of_partly_coloured_pictures(tmp_path):
    grey = photograph(0).convert("L").convert("RGB")
    assert inspect(grey).grey
    grey.paste((255, 0, 0), (20, 20, 40, 40))
    assert not inspect(grey).grey
    assert not inspect(photograph(0)).grey
    photograph(0).save(tmp_path / "a.png")
    assert check(FolderSource(tmp_path), 64, 0).grey == []


def test_what_cannot_be_read_is_said_with_the_reason(run, folder):
    import pillow_heif

    pillow_heif.from_pillow(photograph(20)).save(folder / "phone.heic", quality=90)
    (folder / "scan.jxl").write_bytes(b"\xff\x0a" + bytes(20))
    for name in ("raw.NEF", "raw_2.nef", ".hidden.nef", "README"):
        (folder / name).write_text("no picture")
    status, out, _ = run(folder, "--workers", 0)
    assert status == 0 and "unreadable: 3" in out and "scan.jxl" in out and "phone.heic" not in out
    assert "by their names: .nef 2, without a suffix 1, .txt 1\n" in out
