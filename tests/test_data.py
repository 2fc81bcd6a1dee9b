import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from swapae.data import Photographs, is_validation
from swapae.errors import UserError


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
    data = Photographs(folder, 20, 16, length=30, seed=0)
    shown = reds(data[i] for i in range(30))
    passes = [shown[start : start + 10] for start in (0, 10, 20)]
    assert all(sorted(one) == [20 * i for i in range(10)] for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_crops_are_in_range_mirrored_and_moved(folder):
    data = Photographs(folder, 20, 16, length=200, seed=0)
    crops = torch.stack([data[i] for i in range(200)])
    assert crops.shape == (200, 3, 16, 16) and crops.min() == -1 and crops[:, 1].max() > 0.99
    brighter_right = (crops[:, 1, 0, -1] > crops[:, 1, 0, 0]).float().mean()
    assert 0.3 < brighter_right < 0.7
    edges = {round(crop[1, 0].add(1).sum().item(), 1) for crop in crops}
    assert len(edges) > 5  # random positions


def test_an_item_depends_on_the_seed_and_its_number_alone(folder):
    first = Photographs(folder, 20, 16, length=30, seed=0)
    again = Photographs(folder, 20, 16, length=30, seed=0)
    backwards = [again[i] for i in reversed(range(30))][::-1]
    assert all(torch.equal(first[i], backwards[i]) for i in range(30))
    workers = torch.cat(list(DataLoader(Photographs(folder, 20, 16, 30, 0), 5, num_workers=2)))
    assert torch.equal(workers, torch.stack([first[i] for i in range(30)]))
    other = Photographs(folder, 20, 16, length=30, seed=1)
    assert reds(other[i] for i in range(10)) != reds(first[i] for i in range(10))


def test_validation_photographs_are_left_out_and_are_five_percent(folder):
    names = [f"flower_{i}.jpg" for i in range(5000)]
    assert 0.04 < sum(map(is_validation, names)) / 5000 < 0.06
    assert is_validation("some/folder/" + names[3]) == is_validation(names[3])
    held_out = next(f"photo_{i}.png" for i in range(1000) if is_validation(f"photo_{i}.png"))
    Image.new("RGB", (40, 40), (250, 0, 0)).save(folder / held_out)
    assert 250 not in reds(Photographs(folder, 20, 16, 11, 0)[i] for i in range(11))


def test_bad_folders(tmp_path):
    with pytest.raises(UserError, match="missing"):
        Photographs(tmp_path / "missing", 20, 16, 10, 0)
    with pytest.raises(UserError, match="no pictures|found 0"):
        Photographs(tmp_path, 20, 16, 10, 0)
    with pytest.raises(UserError, match="do not fit"):
        Photographs(tmp_path, 16, 20, 10, 0)
