"""Real processes train as one process does."""

import sys

import datasets
import lmdb
import pytest
from launching import FEATURES, launch, launch_by_accelerate, log_lines, make_photographs
from safetensors.torch import load_file

from swapae.training.checkpoints import list_checkpoints

NETWORKS = ("model", "ema", "discriminators")


def train(folder, output, *arguments, processes=1):
    done = launch(
        folder, "--eval-every-images", "0", "--output", output, "--log-every-images", "16", *arguments,
        processes=processes,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"on {processes} process" in done.stderr
    checkpoint = list_checkpoints(folder / output / "checkpoints")[-1]
    return {name: load_file(checkpoint / f"{name}.safetensors") for name in NETWORKS}


def relative(one, other):
    """Length of the difference of two sets of weights, in lengths of the first."""
    difference = sum((one[name].double() - other[name].double()).square().sum() for name in one)
    return (difference / sum(value.double().square().sum() for value in one.values())).sqrt().item()


def assert_identical(one, other):
    assert all(one[network][name].equal(other[network][name]) for network in NETWORKS for name in one[network])


@pytest.fixture
def folder(tmp_path):
    make_photographs(tmp_path / "photos")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_two_processes_train_bit_for_bit_as_one_in_two_parts(folder, kind):
    """The same shares of the batch, added up by two processes or by one after the other: rounding is the same too.

    Through 18 D and G steps and two of R1; or 12 updates with discriminators that look through features.
    """
    third = 48 if kind == "pixels" else 16
    usual = ["--data", "photos", "--batch-size", "4"]
    usual += ["--total-images", f"{3 * third}", "--log-every-images", f"{third}"]
    usual += ["--augment"] if kind == "pixels" else FEATURES
    two = train(folder, "two", *usual, processes=2)
    parts = train(folder, "parts", *usual, "--gradient-accumulation-steps", "2")
    assert_identical(two, parts)
    assert two["discriminators"]["strength"] > 0 or kind == "features"
    assert [line["images"] for line in log_lines(folder / "two")] == [third, 2 * third, 3 * third]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "images", "bar", "tolerance"), [("no", 24, 1e-6, 1e-4), ("bf16", 8, 2e-3, 0.05)])
def test_two_processes_train_as_one_on_the_whole_batch(folder, precision, images, bar, tolerance):
    """Three D and G steps, and one of R1; in bf16, which many a CPU only emulates, one of each.

    Sums over four images round otherwise than two over two, and Adam's first steps, of one length whatever the
    gradient's, turn a gradient that is nearly 0 and rounds to the other side into a step the other way. In float32
    the learning rate is small, so that this stays under the bar; other gradients would still be 30 times over it.
    """
    usual = ["--data", "photos", "--batch-size", "4", "--total-images", f"{images}", "--mixed-precision", precision]
    usual += ["--lr", "2e-5"] if precision == "no" else []
    one, two = (train(folder, f"{n}", *usual, processes=n) for n in (1, 2))
    for name in NETWORKS:
        assert relative(one[name], two[name]) < bar, name
    for before, after in zip(log_lines(folder / "1"), log_lines(folder / "2"), strict=True):
        terms = [name for name in before if name[:2] in ("d_", "g_")]
        assert len(terms) >= 9 and all(before[name] == pytest.approx(after[name], abs=tolerance) for name in terms)


@pytest.mark.slow
def test_an_odd_share_of_an_lmdb(folder):
    with lmdb.open(str(folder / "lmdb"), map_size=10**8) as environment, environment.begin(write=True) as transaction:
        for path in (folder / "photos").iterdir():
            transaction.put(path.name.encode(), path.read_bytes())
    usual = ["--data", "lmdb", "--batch-size", "6", "--total-images", "24", "--num-workers", "1"]
    two = train(folder, "two", *usual, processes=2)
    assert_identical(two, train(folder, "parts", *usual, "--gradient-accumulation-steps", "2"))
    assert_identical(two, train(folder, "folder", *usual, "--data", "photos", "--gradient-accumulation-steps", "2"))


@pytest.mark.slow
def test_a_stream(folder):
    cells = [{"bytes": path.read_bytes(), "path": None} for path in sorted((folder / "photos").iterdir())]
    table = datasets.Dataset.from_dict({"photo": cells}).cast_column("photo", datasets.Image(decode=False))
    table.to_parquet(folder / "table" / "train.parquet")
    usual = ["--data", "hf:table", "--stream", "--batch-size", "4", "--total-images", "16"]
    two = train(folder, "two", *usual, processes=2)
    assert_identical(two, train(folder, "parts", *usual, "--gradient-accumulation-steps", "2"))


AT_EXIT = """
import atexit, os
from pathlib import Path

def write_threads():
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    Path(os.environ["THREADS"], os.environ["RANK"]).write_text("\\n".join(names))

if "RANK" in os.environ:
    atexit.register(write_threads)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")
def test_the_group_of_processes_is_gone_before_python_is(folder):
    """Gloo's threads drop tensors, which needs Python: those still alive when it ends abort the process at times."""
    (folder / "sitecustomize.py").write_text(AT_EXIT)
    (folder / "threads").mkdir()
    environment = {"PYTHONPATH": str(folder), "THREADS": str(folder / "threads")}
    usual = ["--data", "photos", "--batch-size", "4", "--total-images", "8", "--eval-every-images", "0"]
    done = launch_by_accelerate(folder, "--output", "run", *usual, processes=2, environment=environment)
    assert done.returncode == 0, done.stderr
    threads = [(folder / "threads" / rank).read_text() for rank in "01"]
    assert all("python" in names and "gloo" not in names for names in threads), threads
