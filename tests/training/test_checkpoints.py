import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from swapae.errors import UserError
from swapae.training.checkpoints import Checkpoint, list_checkpoints, load_newest, save_checkpoint


def checkpoint(step):
    parameter = torch.nn.Parameter(torch.full((2, 3, 1, 1), float(step)).contiguous(memory_format=torch.channels_last))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    return Checkpoint(
        {"step": step},
        {"model": {"weight": parameter}, "discriminators": {"bias": torch.ones(1)}},
        {"adam": optimizer.state_dict()},
    )


def test_what_is_written_is_read(tmp_path):
    written = checkpoint(5)
    save_checkpoint(tmp_path, 5, written, keep=2)
    read = load_newest(tmp_path)
    assert read.counters == {"step": 5} and set(read.weights) == {"model", "discriminators"}
    assert torch.equal(read.weights["model"]["weight"], written.weights["model"]["weight"])
    moments, expected = (c.optimizers["adam"]["state"][0] for c in (read, written))
    assert all(torch.equal(moments[name], expected[name]) for name in ("step", "exp_avg", "exp_avg_sq"))


def test_the_oldest_go(tmp_path):
    for step in (1, 2, 30, 4):
        save_checkpoint(tmp_path, step, checkpoint(step), keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_000000004", "step_000000030"]
    assert load_newest(tmp_path).counters["step"] == 30
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("harm", ["flip", "cut", "missing", "state"])
def test_a_damaged_newest_is_reported_and_the_one_before_used(tmp_path, caplog, harm):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, checkpoint(step), keep=5)
    newest = tmp_path / "step_000000002"
    file = newest / ("state.json" if harm == "state" else "model.safetensors")
    data = bytearray(file.read_bytes())
    if harm == "flip":
        data[-1] ^= 1
    file.write_bytes(data if harm == "flip" else data[: len(data) // 2])
    if harm == "missing":
        file.unlink()
    assert load_newest(tmp_path).counters["step"] == 1
    assert "step_000000002" in caplog.text and "damaged" in caplog.text
    shutil.rmtree(tmp_path / "step_000000001")
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        load_newest(tmp_path)


def test_none_yet(tmp_path):
    assert load_newest(tmp_path / "nothing") is None


@pytest.mark.parametrize("most", [60, 300])  # bytes: in the weights, and in the optimizers' state
def test_a_full_disk_leaves_the_last_one_whole(tmp_path, most):
    save_checkpoint(tmp_path, 1, checkpoint(1), keep=1)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))  # a file that cannot grow is what a full disk looks like
    try:
        with pytest.raises(UserError, match="cannot write the checkpoint"):
            save_checkpoint(tmp_path, 2, checkpoint(2), keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000001"]
    assert load_newest(tmp_path).counters["step"] == 1


WRITER = """
import sys
from pathlib import Path
import torch
from swapae.training.checkpoints import Checkpoint, save_checkpoint
weights = {"model": {"weight": torch.randn(500_000)}}
for step in range(10**6):
    save_checkpoint(Path(sys.argv[1]), step, Checkpoint({"step": step}, weights, {}), keep=2)
    print(step, flush=True)
"""


@pytest.mark.slow
def test_killed_while_writing(tmp_path):
    """kill -9 at many moments of many checkpoints: a whole one is always there."""
    for delay in (0.0, 0.003, 0.007, 0.011, 0.017):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3):
            last = int(process.stdout.readline())
        time.sleep(delay)  # only to vary the moment; nothing depends on which it is
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert load_newest(tmp_path).counters["step"] >= last
        shutil.rmtree(tmp_path)
        Path(tmp_path).mkdir()
