import re

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from swapae.config import PRESETS, DataHandling, SwapAEConfig
from swapae.data.dataset import Photographs, is_validation, validation_pictures
from swapae.data.picture_files import FolderSource
from swapae.errors import UserError
from swapae.pictures.images import header, load_image, to_pil

SMALL = DataHandling(size=20, crop_size=16)


def photographs(folder, length=30, seed=0, handling=SMALL):
    return Photographs(FolderSource(folder), handling, length, seed)


@pytest.fixture
def folder(tmp_path):
    """Ten photographs that are one colour left and another right, so that crops can be told."""
    kept = 0
    for index in range(100):
        name = f"photo_{index}.png"
        if not is_validation(name) and kept < 10:
            image = Image.new("RGB", (60, 40), (20 * kept, 0, 0))
            image.paste((20 * kept, 255, 0), (30, 0, 60, 40))
            image.save(tmp_path / name)
            kept += 1
    return tmp_path


def reds(crops):
    return [round((crop[0, 0, 0].item() + 1) * 127.5) for crop in crops]


def test_every_pass_shows_each_photograph_once_in_another_order(folder):
    data = photographs(folder)
    shown = reds(data[i] for i in range(30))
    passes = [shown[start : start + 10] for start in (0, 10, 20)]
    assert all(sorted(one) == [20 * i for i in range(10)] for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_crops_are_in_range_mirrored_and_moved(folder):
    data = photographs(folder, length=200)
    crops = torch.stack([data[i] for i in range(200)])
    assert crops.shape == (200, 3, 16, 16) and crops.min() == -1 and crops[:, 1].max() > 0.99
    brighter_right = (crops[:, 1, 0, -1] > crops[:, 1, 0, 0]).float().mean()
    assert 0.3 < brighter_right < 0.7
    edges = {round(crop[1, 0].add(1).sum().item(), 1) for crop in crops}
    assert len(edges) > 5  # random positions


def test_an_item_depends_on_the_seed_and_its_number_alone(folder):
    first = photographs(folder)
    again = photographs(folder)
    backwards = [again[i] for i in reversed(range(30))][::-1]
    assert all(torch.equal(first[i], backwards[i]) for i in range(30))
    workers = torch.cat(list(DataLoader(photographs(folder), 5, num_workers=2)))
    assert torch.equal(workers, torch.stack([first[i] for i in range(30)]))
    other = photographs(folder, seed=1)
    assert reds(other[i] for i in range(10)) != reds(first[i] for i in range(10))


def test_validation_photographs_are_left_out_and_are_five_percent(folder):
    names = [f"flower_{i}.jpg" for i in range(5000)]
    assert 0.04 < sum(map(is_validation, names)) / 5000 < 0.06
    assert is_validation("some/folder/" + names[3]) == is_validation(names[3])
    held_out = next(f"photo_{i}.png" for i in range(1000) if is_validation(f"photo_{i}.png"))
    Image.new("RGB", (40, 40), (250, 0, 0)).save(folder / held_out)
    assert 250 not in reds(photographs(folder)[i] for i in range(11))


def test_short_keeps_the_aspect_and_exact_does_not(folder):
    """The photographs are 60x40, green in their right half: where a whole one is seen, half of the crop is."""
    exact = photographs(folder, handling=DataHandling(24, 24, "exact", flip=False))
    for crop in (exact[i] for i in range(10)):
        assert crop.shape == (3, 24, 24)
        green = crop[1, 12] > 0
        assert not green[:11].any() and green[13:].all()
    short = photographs(folder, 100, handling=DataHandling(24, 24, flip=False))
    edges = {int((short[i][1, 12] > 0).sum()) for i in range(100)}
    assert min(edges) >= 5 and max(edges) <= 19 and len(edges) > 5  # 36x24, so the edge lies at 6 to 18


def test_without_flip_no_crop_is_mirrored(folder):
    crops = torch.stack([photographs(folder, 50, handling=DataHandling(20, 16, flip=False))[i] for i in range(50)])
    assert (crops[:, 1, 0, -1] >= crops[:, 1, 0, 0]).all()


def test_photographs_smaller_than_the_image_are_enlarged(folder):
    crops = [photographs(folder, handling=DataHandling(80, 40))[i] for i in range(5)]
    assert all(crop.shape == (3, 40, 40) for crop in crops)


def test_presets_say_how_photographs_are_resized():
    handled = {
        name: (data.size, data.crop_size, data.resize) for name, data in ((n, p.data) for n, p in PRESETS.items())
    }
    assert handled == {
        "church256": (256, 256, "short"),
        "bedroom256": (256, 256, "short"),
        "afhq256": (256, 256, "exact"),
        "mountain512": (512, 512, "short"),
        "ffhq512": (512, 512, "exact"),
        "ffhq1024": (1024, 768, "short"),
        "drawings64": (64, 64, "exact"),
        "small128": (128, 64, "short"),
        "small256": (256, 128, "short"),
    }
    assert all(preset.data.flip for preset in PRESETS.values())
    with pytest.raises(UserError, match="do not fit"):
        DataHandling(16, 20)


def test_a_jpeg_decoded_at_a_fraction_differs_by_a_few_levels(tmp_path):
    pattern = torch.nn.functional.interpolate(
        torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0)) * 2 - 1, (1200, 1600), mode="bicubic"
    )
    to_pil(pattern.clamp(-1, 1)).save(tmp_path / "large.jpg", quality=95)
    whole, draft = load_image(tmp_path / "large.jpg"), load_image(tmp_path / "large.jpg", draft_to=256)
    assert whole.size == (1600, 1200) and draft.size == (400, 300)
    small = torch.tensor(list(whole.resize((160, 120), Image.Resampling.LANCZOS).tobytes())).float()
    other = torch.tensor(list(draft.resize((160, 120), Image.Resampling.LANCZOS).tobytes())).float()
    assert (small - other).abs().mean() < 1 and (small - other).abs().max() < 12
    assert header(tmp_path / "large.jpg").size == (1600, 1200)
    opened = Image.open(tmp_path / "large.jpg")
    assert load_image(opened, draft_to=256).size == (1600, 1200)  # what belongs to the caller is not changed
    with pytest.raises(UserError, match="over the limit"):
        load_image(tmp_path / "large.jpg", draft_to=256, max_pixels=1_000_000)


def complaint(call):
    """The message of a UserError; `pytest.raises` would keep the frames, and with them idle workers."""
    try:
        call()
    except UserError as error:
        return str(error)
    raise AssertionError("there was no error")


def spoil(folder, share):
    """Cut the last photographs of the folder short."""
    paths = sorted(folder.iterdir())
    for path in paths[len(paths) - round(share * len(paths)) :]:
        path.write_bytes(path.read_bytes()[:60])
    return paths


def test_an_unreadable_photograph_is_logged_once_and_the_next_takes_its_place(folder, caplog):
    whole = photographs(folder)
    order = [round(red / 20) for red in reds(whole[i] for i in range(30))]
    *_, bad = spoil(folder, 0.1)
    data = photographs(folder)
    shown = reds(data[i] for i in range(30))
    assert len(shown) == 30 and data.unreadable == 1
    (message,) = [record.getMessage() for record in caplog.records]
    assert repr(str(bad)) in message
    missing = set(range(10)) - {round(red / 20) for red in shown}
    assert len(missing) == 1
    (gone,) = missing
    for start in (0, 10, 20):
        one = order[start : start + 10]
        expected = [one[(place + 1) % 10] if index == gone else index for place, index in enumerate(one)]
        assert [round(red / 20) for red in shown[start : start + 10]] == expected
    workers = torch.cat(list(DataLoader(photographs(folder), 5, num_workers=2)))
    assert reds(workers) == shown


def test_too_many_unreadable_photographs_stop_the_training_with_one_line(tmp_path):
    names = [name for name in (f"{i}.png" for i in range(100)) if not is_validation(name)]
    for index, name in enumerate(names):
        Image.effect_noise((40, 40), 50).save(tmp_path / name)
        if index % 2:
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:500])
    for workers in (0, 2):
        loader = DataLoader(photographs(tmp_path, length=500), 4, num_workers=workers)
        message = complaint(lambda loader=loader: list(loader))
        assert re.fullmatch(r".*: \d+ of the \d+ pictures read so far are unreadable; try swapae data check", message)


def test_bad_folders(tmp_path):
    with pytest.raises(UserError, match="missing"):
        photographs(tmp_path / "missing")
    with pytest.raises(UserError, match="no pictures"):
        photographs(tmp_path)
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the . pictures looked at can be read"):
        photographs(tmp_path)
    for name in "abcd":
        Image.new("RGB", (30, 12)).save(tmp_path / f"{name}.png")
    with pytest.raises(UserError, match="smaller than the crop of 16 pixels, the largest is 30x12"):
        photographs(tmp_path)


def test_pictures_to_show_are_those_not_trained_on(folder):
    config = SwapAEConfig(image_size=64, downsamplings=3)
    shown, unseen = validation_pictures(FolderSource(folder), config, 6, 4)
    assert len(shown) == 6 and not unseen  # none is kept out: any will do
    names = [name for name in (f"photo_{i}.png" for i in range(1000)) if is_validation(name)][:6]
    for name in names:
        Image.new("RGB", (80, 40), (250, 0, 0)).save(folder / name)
    (folder / names[0]).write_bytes(b"no picture")
    for most, expected in ((4, 4), (9, 5)):
        shown, unseen = validation_pictures(FolderSource(folder), config, most, 4)
        assert unseen
        assert [(picture.tensor.shape, picture.size) for picture in shown] == [((1, 3, 64, 128), (128, 64))] * expected
        assert all(picture.tensor[:, 0].min() > 0.95 and picture.tensor[:, 1:].max() == -1 for picture in shown)
