import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from swapae.training.tracking import choose_tracker, start_tracker, track_picture


def test_what_is_tracked_after_the_last_checkpoint_of_a_killed_run_is_tracked_again(tmp_path):
    picture = Image.new("RGB", (8, 6), (200, 10, 10))
    for images_seen, value in ((0, 1.0), (20, 2.0)):  # killed after 30, goes on from 20
        accelerator = Accelerator(cpu=True, log_with="tensorboard", project_dir=tmp_path)
        start_tracker(accelerator, "tensorboard", tmp_path, {"lr": 0.1, "init": None}, images_seen)
        for images in (10, 20, 30):
            if images > images_seen:
                accelerator.log({"g_l1": value}, images)
                track_picture(accelerator, picture, images)
        accelerator.end_training()
        AcceleratorState._reset_state(True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("g_l1")] == [(10, 1), (20, 1), (30, 2)]
    shown = events.Images("samples")[-1]
    assert (shown.step, shown.width, shown.height) == (30, 8, 6)


def test_tensorboard_is_chosen_where_it_is_installed(monkeypatch):
    assert choose_tracker(None) == choose_tracker("tensorboard") == "tensorboard"
    assert choose_tracker("none") is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_tracker(None) is None
    with pytest.raises(ValueError, match="pip install tensorboard"):
        choose_tracker("tensorboard")
