"""Every kind of training data, read for real: LMDB environments, saved datasets, Parquet, streams, worker processes."""

import io
import multiprocessing
import os
import pickle
import sys
import zipfile

import datasets
import lmdb
import pytest
import torch
from launching import ROOT, run_processes
from PIL import Image
from torch.utils.data import DataLoader

from swapae.config import DataHandling, SwapAEConfig
from swapae.data.dataset import Photographs, is_validation, training_data, validation_pictures
from swapae.data.picture_files import FolderSource, LmdbSource, PackedNames
from swapae.data.sources import RowSource, StreamSource, open_source
from swapae.errors import PictureError, UserError
from swapae.pictures.images import load_image

HANDLING = DataHandling(size=20, crop_size=16)
COUNT = 24
ORANGE, BLUE = (250, 120, 10), (10, 60, 240)


def photograph(number, format="PNG", size=(30, 24)):
    """Encoded picture whose red level is ten times its number."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (10 * number, 0, 200)).save(buffer, format)
    return buffer.getvalue()


def numbers(crops):
    return [round((crop[0, 0, 0].item() + 1) * 12.75) for crop in crops]


def write_lmdb(folder, items):
    environment = lmdb.open(str(folder), map_size=2**24)
    with environment.begin(write=True) as transaction:
        for key, value in items.items():
            transaction.put(key, value)
    environment.close()
    return folder


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    # `datasets` waits for this long at the end of every pass over shuffled Parquet files.
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)


@pytest.fixture
def table():
    """Dataset with a label and a column of pictures."""
    rows = {"label": list(range(COUNT)), "photo": [{"bytes": photograph(i), "path": None} for i in range(COUNT)]}
    return datasets.Dataset.from_dict(rows).cast_column("photo", datasets.Image())


def crops(source, length=60, workers=0, start=0, batch=4):
    data, _ = training_data(source, HANDLING, length, 0, start, batch)
    return torch.cat(list(DataLoader(data, batch, num_workers=workers)))


def test_lsun_lmdb_gives_colours_in_the_right_order(tmp_path):
    """The published code read such files as BGR."""
    two = Image.new("RGB", (64, 48), ORANGE)
    two.paste(BLUE, (32, 0, 64, 48))
    items = {}
    for number, (format, options) in enumerate([("JPEG", {"subsampling": 0}), ("WEBP", {"lossless": True})] * 10):
        buffer = io.BytesIO()
        two.save(buffer, format, quality=95, **options)
        items[f"{number:040x}".encode()] = buffer.getvalue()
    source = open_source(str(write_lmdb(tmp_path / "church_lmdb", items)))
    assert isinstance(source, LmdbSource) and len(source) == 20 and source.name(3) == f"{3:040x}"
    for crop in (Photographs(source, DataHandling(48, 48, "exact", flip=False), 8, 0)[i] for i in range(8)):
        left, right = ((crop[:, 24, x] + 1) * 127.5 for x in (8, 40))
        assert (left - torch.tensor(ORANGE)).abs().max() < 4 and (right - torch.tensor(BLUE)).abs().max() < 4


@pytest.mark.slow
def test_an_lmdb_is_read_by_any_number_of_workers_and_sources(tmp_path):
    folder = write_lmdb(tmp_path / "db", {b"%03d" % i: photograph(i, "WEBP") for i in range(COUNT)})
    (folder / "data.mdb").chmod(0o444)
    (folder / "lock.mdb").unlink()
    folder.chmod(0o555)
    try:
        source, another = open_source(str(folder)), open_source(f"{folder}/")
        alone = crops(source)
        assert torch.equal(alone, crops(another, workers=2)) and torch.equal(alone, crops(source, workers=3))
        assert torch.equal(alone[20:], crops(source, start=20, workers=1))
        assert load_image(source.read(5)).getpixel((0, 0))[2] > 190  # the parent still reads after the forks
        assert len(pickle.dumps(source)) < 5000
        context = multiprocessing.get_context("spawn")
        data = Photographs(source, HANDLING, 8, 0)
        spawned = torch.cat(list(DataLoader(data, 4, num_workers=1, multiprocessing_context=context)))
        assert torch.equal(spawned, alone[:8])
        assert not (folder / "lock.mdb").exists()
    finally:
        folder.chmod(0o755)


def test_damaged_and_empty_lmdbs(tmp_path, caplog):
    items = {b"%03d" % i: photograph(i) for i in range(COUNT)}
    bad = next(key for key in items if not is_validation(key.decode()))
    items[bad] = items[bad][:50]
    source = open_source(str(write_lmdb(tmp_path / "db", items)))
    data = Photographs(source, HANDLING, 40, 0)
    assert len([data[i] for i in range(40)]) == 40 and data.unreadable == 1
    (record,) = caplog.records
    assert f"db#{bad.decode()}" in record.getMessage()
    with pytest.raises(UserError, match="is empty"):
        open_source(str(write_lmdb(tmp_path / "empty", {})))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match="cannot open the LMDB"):
        open_source(str(tmp_path / "broken"))


def test_datasets_on_disk_by_all_their_kinds(tmp_path, table, monkeypatch):
    table.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": table, "test": table.select(range(3))}).save_to_disk(tmp_path / "splits")
    (tmp_path / "owner/name").mkdir(parents=True)
    table.to_parquet(tmp_path / "owner/name/train.parquet")
    monkeypatch.chdir(tmp_path)
    expected = crops(open_source("saved"))
    assert len(set(numbers(expected))) > 15
    # A path of two words is looked for as OWNER/NAME on the Hub, unless it is there: the same code either way.
    for spec in ("splits", "owner/name", "hf:owner/name", "hf:owner/name:train", "hf:saved", "hf:splits:train"):
        source = open_source(spec)
        assert isinstance(source, RowSource) and len(source) == COUNT, spec
        assert torch.equal(crops(source), expected), spec
    assert torch.equal(crops(open_source("saved"), workers=2), expected)
    assert len(open_source("hf:splits:test")) == 3
    for spec, message in {
        "hf:splits:validation": "cannot open the dataset 'splits:validation'",
        "hf:saved:train": "without splits",
        "hf:owner/name:test": "cannot open the dataset",
        "hf:no-such/dataset": "cannot open the dataset 'no-such/dataset'",
        "no-such/dataset": "write hf:no-such/dataset",
        "missing": "not a folder",
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            open_source(spec)
        assert "\n" not in str(caught.value)


def test_the_column_is_found_or_given(tmp_path, table):
    masks = table.remove_columns("label").rename_column("photo", "mask")
    datasets.concatenate_datasets([table, masks], axis=1).save_to_disk(tmp_path / "two")
    with pytest.raises(UserError, match="more than one column of pictures, photo, mask.*--image-column"):
        open_source(str(tmp_path / "two"))
    assert len(open_source(str(tmp_path / "two"), column="photo")) == COUNT
    with pytest.raises(UserError, match="no column 'colour'; it has label, photo"):
        open_source(str(tmp_path / "two"), column="colour")
    table.remove_columns("photo").save_to_disk(tmp_path / "none")
    with pytest.raises(UserError, match="no column that holds pictures among label"):
        open_source(str(tmp_path / "none"))
    bare = datasets.Dataset.from_dict({"id": [1, 2], "jpg": [photograph(1), photograph(2)]})
    bare.save_to_disk(tmp_path / "bare")
    assert load_image(open_source(str(tmp_path / "bare")).read(1)).getpixel((0, 0)) == (20, 0, 200)
    Image.new("RGB", (30, 30)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="write hf:"):
        open_source(str(tmp_path), column="photo")
    with pytest.raises(UserError, match="not a folder"):
        open_source(str(tmp_path / "missing"), stream=True)


def test_an_empty_cell_is_skipped_like_a_damaged_picture(tmp_path, table, caplog):
    rows = {"photo": [{"bytes": photograph(i), "path": None} if i != 7 else None for i in range(COUNT)]}
    datasets.Dataset.from_dict(rows, features=datasets.Features(photo=datasets.Image())).save_to_disk(tmp_path / "d")
    source = open_source(str(tmp_path / "d"))
    with pytest.raises(PictureError, match="#7' is empty"):
        source.read(7)
    assert 7 not in numbers(crops(source, length=100))
    assert len(caplog.records) == (not is_validation("7"))


def test_a_stream_gives_the_same_items_to_any_workers_and_from_any_start(tmp_path, table):
    table.to_parquet(tmp_path / "a.parquet")
    source = open_source(str(tmp_path), stream=True)
    assert isinstance(source, StreamSource)
    alone = crops(source, length=100)
    assert alone.shape == (100, 3, 16, 16)
    training = len(set(numbers(alone)))
    assert training >= COUNT - 4
    passes = [numbers(alone[start : start + training]) for start in (0, training, 2 * training)]
    assert all(len(set(one)) == training for one in passes) and passes[0] != passes[1] != passes[2]
    for workers, start, batch in ((1, 0, 4), (2, 0, 4), (3, 0, 5), (0, 36, 4), (2, 36, 4), (2, 88, 4)):
        assert torch.equal(crops(source, 100, workers, start, batch), alone[start:]), (workers, start, batch)


def test_streams_of_saved_datasets_and_of_archives(tmp_path, table):
    table.save_to_disk(tmp_path / "saved")
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped/photos.zip", "w") as archive:
        for i in range(COUNT):
            archive.writestr(f"photo_{i}.png", photograph(i))
    for folder in ("saved", "zipped"):
        source = open_source(f"hf:{tmp_path / folder}", stream=True)
        shown = crops(source, length=40)
        assert len(set(numbers(shown))) >= COUNT - 4
        assert torch.equal(crops(source, length=40, workers=2), shown)
        assert len(validation_pictures(source, SwapAEConfig(image_size=64, downsamplings=3), 4, 4)[0]) == 4


def test_a_damaged_picture_in_a_stream_is_replaced_by_the_next(tmp_path, caplog):
    cells = [{"bytes": photograph(i) if i != 5 else photograph(i)[:50], "path": None} for i in range(COUNT)]
    rows = datasets.Dataset.from_dict({"photo": cells}).cast_column("photo", datasets.Image(decode=False))
    rows.to_parquet(tmp_path / "a.parquet")
    source = open_source(str(tmp_path), stream=True)
    data, counter = training_data(source, HANDLING, 80, 0, 0, 4)
    alone = torch.stack(list(data))
    assert len(alone) == 80 and 5 not in numbers(alone)
    assert counter.unreadable > 1 and len(caplog.records) == 1
    assert torch.equal(crops(source, length=80, workers=2), alone)
    bad = [{"bytes": photograph(i) if i < 12 else b"bad", "path": None} for i in range(COUNT)]
    (tmp_path / "bad").mkdir()
    datasets.Dataset.from_dict({"photo": bad}).cast_column("photo", datasets.Image(decode=False)).to_parquet(
        tmp_path / "bad/a.parquet"
    )
    try:
        crops(open_source(str(tmp_path / "bad"), stream=True), length=400, workers=2)
        message = ""
    except UserError as error:  # `pytest.raises` would keep the workers waiting
        message = str(error)
    assert message.endswith("pictures read so far are unreadable; try swapae data check") and "\n" not in message


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    write_lmdb(tmp_path / "db", {b"a": photograph(1)})
    for module, spec in {"lmdb": str(tmp_path / "db"), "datasets": "hf:owner/name"}.items():
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(UserError, match=rf"pip install 'swapae\[{module}\]'"):
            open_source(spec)


def test_names_of_a_million_files_take_no_more_than_their_bytes():
    names = [f"class_{i % 7}/photo_{i:07d}.jpg".encode() for i in range(200_000)]
    packed = PackedNames(names)
    assert len(packed) == len(names) and packed[0] == names[0] and packed[-1 % len(names)] == names[-1]
    tensors = vars(packed).values()
    assert sum(tensor.nbytes for tensor in tensors) < 35 * len(names)  # 26 bytes of name and 8 of offset
    assert list(packed) == names
    odd = [b"", "ä\n".encode(), b"\xff"]
    assert [PackedNames(odd)[i] for i in range(3)] == odd == list(PackedNames(odd))


@pytest.mark.slow
def test_file_names_that_are_no_text(tmp_path):
    for index in range(12):
        (tmp_path / os.fsdecode(b"\xff\xe4 %d\n.png" % index)).write_bytes(photograph(index))
    assert len(set(numbers(crops(FolderSource(tmp_path))))) > 5


@pytest.fixture
def train(tmp_path):
    """Run train_accelerate.py for a few steps of the smallest preset; (exit status, stderr)."""

    def run(data, *options):
        arguments = ["--data", data, "--output", tmp_path / "run", "--preset", "small128", "--batch-size", 2]
        done = run_processes(tmp_path, ROOT / "train_accelerate.py", *arguments, *options)
        return done.returncode, done.stderr

    return run


@pytest.mark.slow
def test_training_reads_a_stream_and_goes_on(train, tmp_path):
    cells = [{"bytes": photograph(i, size=(80, 64)), "path": None} for i in range(COUNT)]
    datasets.Dataset.from_dict({"photo": cells}).save_to_disk(tmp_path / "saved")
    for images in (4, 8):
        status, error = train(tmp_path / "saved", "--stream", "--total-images", images)
        assert status == 0, error
    assert sorted(path.stem for path in (tmp_path / "run/samples").iterdir()) == ["000000004", "000000008"]


@pytest.mark.slow
def test_training_stops_with_one_line_for_bad_data(train, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(60):
        content = photograph(index % 25, size=(80, 80), format="BMP")
        (folder / f"{index}.bmp").write_bytes(content if index % 2 else content[:800])
    status, error = train(folder, "--total-images", 400)
    assert status == 2
    assert "Traceback" not in error
    last = error.splitlines()[-1]
    assert last.startswith("train_accelerate.py: ") and "unreadable; try swapae data check" in last
