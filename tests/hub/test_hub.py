"""Model folders, and the Hub over real HTTP: what goes up comes down the same; what goes wrong is one line."""

import json
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub, Repo, result_of
from safetensors.torch import load_file, save_file

from swapae import Codes, SwapAE, UserError
from swapae.editing.directions import Direction, Directions
from swapae.hub.card import CARD_MARK

FILES = {"config.json", "model.safetensors", "README.md"}
METRICS = {"LPIPS": 0.231, "FID, 5000 swaps": 41.5}


def one_line(error: BaseException) -> str:
    """The message of a UserError, checked to be one readable line."""
    message = str(error)
    assert isinstance(error, UserError), repr(error)
    assert "\n" not in message and 20 < len(message) < 500, message
    return message


@pytest.fixture
def folder(tiny_model: SwapAE, tmp_path: Path) -> Path:
    tiny_model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        SwapAE.from_pretrained(folder, **options)
    return one_line(caught.value)


# ---------------------------------------------------------------- folders


def test_a_saved_model_comes_back_the_same(tiny_model: SwapAE, folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    model = SwapAE.from_pretrained(folder)
    assert model.config == tiny_model.config and not model.training
    expected = tiny_model.state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    images = torch.rand(1, 3, 64, 72) * 2 - 1
    assert torch.equal(model(images), tiny_model(images))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_precision_and_memory_layout_are_as_asked(tiny_model: SwapAE, folder: Path, dtype: torch.dtype) -> None:
    model = SwapAE.from_pretrained(str(folder), dtype=dtype, device=torch.device("cpu"))
    for name, value in tiny_model.state_dict().items():
        assert torch.equal(model.state_dict()[name], value.to(dtype)), name
    assert all(value.dtype == dtype for value in model.parameters())
    convolutions = [value for value in model.parameters() if value.dim() == 4 and min(value.shape[1:3]) > 1]
    assert convolutions and all(value.is_contiguous(memory_format=torch.channels_last) for value in convolutions)


def test_half_precision_is_saved_at_half_the_size(tiny_model: SwapAE, folder: Path, tmp_path: Path) -> None:
    half = tiny_model.half()
    half.save_pretrained(tmp_path / "half")
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    sizes = [(path / "model.safetensors").stat().st_size for path in (tmp_path / "half", folder)]
    assert sizes[0] < 0.6 * sizes[1]
    back = SwapAE.from_pretrained(tmp_path / "half")
    assert all(torch.equal(value, half.state_dict()[name].float()) for name, value in back.state_dict().items())


def test_an_older_model_is_replaced_whole_or_not_at_all(tiny_model: SwapAE, folder: Path, monkeypatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with torch.no_grad():
        tiny_model.generator.to_rgb.bias.add_(1)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swapae.tensor_files.save_file", fail)
    with pytest.raises(UserError, match=r"model/model\.safetensors'.*No space left") as caught:
        tiny_model.save_pretrained(folder, model_card_kwargs={"metrics": METRICS})
    one_line(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    monkeypatch.undo()
    tiny_model.save_pretrained(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert torch.equal(SwapAE.from_pretrained(folder).generator.to_rgb.bias, tiny_model.generator.to_rgb.bias)


def test_a_reader_never_meets_half_a_model(tiny_model: SwapAE, folder: Path) -> None:
    done = threading.Event()
    problems: list[BaseException] = []

    def read() -> None:
        while not done.is_set():
            try:
                SwapAE.from_pretrained(folder)
            except BaseException as error:
                problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        tiny_model.save_pretrained(folder)
    done.set()
    reader.join()
    assert not problems


def test_saved_files_honour_the_umask(tiny_model: SwapAE, tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        tiny_model.save_pretrained(tmp_path / "a" / "b")
    finally:
        os.umask(previous)
    for path in (tmp_path / "a" / "b").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, path.name


def test_what_cannot_be_saved_is_refused(tiny_model: SwapAE, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the folder") as caught:
        tiny_model.save_pretrained(tmp_path / "file")
    one_line(caught.value)
    with torch.no_grad():
        tiny_model.encoder.from_rgb.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match=r"encoder\.from_rgb\.weight is not finite") as caught:
        tiny_model.save_pretrained(tmp_path / "nan")
    one_line(caught.value)
    assert not (tmp_path / "nan").exists()


# ---------------------------------------------------------------- card


def test_the_card_has_what_the_hub_and_a_reader_want(tiny_model: SwapAE, folder: Path) -> None:
    plain = ModelCard.load(folder / "README.md")
    assert plain.data.library_name == "swapae" and plain.data.pipeline_tag == "image-to-image"
    assert plain.data.license == "other" and "swapping-autoencoder" in plain.data.tags
    kwargs = {"metrics": METRICS, "title": "Tulips", "about": "Trained on *tulips*.", "license": "apache-2.0"}
    tiny_model.save_pretrained(folder, model_card_kwargs=kwargs)
    card = ModelCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0" and card.data.library_name == "swapae"
    assert "# Swapping autoencoder: Tulips\n" in card.text and "Trained on *tulips*." in card.text
    rows = [line for line in card.text.splitlines() if line.startswith("|")]
    assert "| LPIPS | 0.231 |" in rows and "| FID, 5000 swaps | 41.5 |" in rows
    assert "| structure code | 4 channels at 1/8 of the side |" in rows and "| texture code | 32 |" in rows
    assert f"| parameters | {sum(p.numel() for p in tiny_model.parameters()):,} |" in rows
    assert "2007.00653" in card.text and "{{" not in card.text
    # Keywords of one card do not stay for the next.
    assert tiny_model.generate_model_card().data.license == "other"


def test_the_cards_code_runs(tiny_model: SwapAE, tmp_path: Path, monkeypatch) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    tiny_model.save_pretrained(tmp_path / "owner" / "name")
    for name, size in (("structure", (90, 70)), ("texture", (64, 100))):
        Image.effect_mandelbrot(size, (-2, -1, 1, 1), 20).convert("RGB").save(f"{name}.jpg")
    card = (tmp_path / "owner" / "name" / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(code, {})
    assert Image.open("hybrid.png").size == (82, 64)


def test_only_our_own_card_is_written_over(tiny_model: SwapAE, folder: Path) -> None:
    card = folder / "README.md"
    tiny_model.save_pretrained(folder, model_card_kwargs={"metrics": METRICS})
    assert "| LPIPS | 0.231 |" in card.read_text() and CARD_MARK in card.read_text()
    card.write_text("My model.\n")
    tiny_model.save_pretrained(folder, model_card_kwargs={"metrics": METRICS})
    assert card.read_text() == "My model.\n"


# ---------------------------------------------------------------- damage


def change_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return apply


def change_config(**values: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | values
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))

    return apply


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)  # type: ignore[return-value]


def truncate(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


BIAS = "encoder.from_rgb.bias"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing tensor": (change_tensors(lambda t: t.pop(BIAS)), f"missing {BIAS}"),
    "extra tensor": (change_tensors(lambda t: t.update(extra=torch.zeros(1))), "unexpected 'extra'"),
    "line break in a name": (change_tensors(lambda t: t.update({"a\nb": torch.zeros(1)})), r"unexpected 'a\\nb'"),
    "wrong shape": (change_tensors(lambda t: t.update({BIAS: torch.zeros(9)})), rf"{BIAS} is \[9\] instead of \[8\]"),
    "scalar": (change_tensors(lambda t: t.update({BIAS: torch.tensor(1.0)})), rf"{BIAS} is \[\] instead of \[8\]"),
    "NaN": (change_tensors(lambda t: t[BIAS][0].fill_(torch.nan)), f"{BIAS} holds values that are not finite"),
    "float8 NaN": (
        change_tensors(lambda t: t.update({BIAS: torch.full((8,), torch.nan).to(torch.float8_e4m3fn)})),
        f"{BIAS} holds values that are not finite",
    ),
    "infinity": (change_tensors(lambda t: t[BIAS][7].fill_(-torch.inf)), f"{BIAS} holds values that are not finite"),
    "integers": (change_tensors(lambda t: t.update({BIAS: t[BIAS].int()})), f"{BIAS} holds torch.int32"),
    "all renamed": (change_tensors(lambda t: [t.update({f"x.{n}": t.pop(n)}) for n in list(t)]), "and [0-9]+ more"),
    "no tensors": (change_tensors(lambda t: t.clear()), "missing encoder"),
    "truncated": (truncate, "not safetensors"),
    "empty weights": (write("model.safetensors", b""), "not safetensors"),
    "HTML": (write("model.safetensors", b"<!DOCTYPE html>\n<html>\n" + b"x" * 999), "not safetensors"),
    "LFS pointer": (write("model.safetensors", b"version https://git-lfs\noid sha256:0\n"), "not safetensors"),
    "pickle": (write("model.safetensors", b"PK\x03\x04" + bytes(500)), "not safetensors"),
    "unknown key": (change_config(extra=1), "unknown key extra"),
    "missing key": (change_config(image_size=...), "missing key image_size"),
    "string": (
        change_config(texture_channels="32"),
        "texture_channels must be a positive number below 100000, got '32'",
    ),
    "bool": (change_config(downsamplings=True), "downsamplings must be a positive number below 100000, got True"),
    "null": (change_config(encoder_capacity=None), "encoder_capacity must be a positive number below 100000, got None"),
    "negative": (change_config(image_size=-64), "image_size must be a positive number below 100000, got -64"),
    "zero": (change_config(generator_capacity=0), "generator_capacity must be a positive number below 100000, got 0"),
    "fraction": (change_config(structure_channels=4.5), "structure_channels must be a whole number"),
    "list": (change_config(image_size=[64]), "image_size must be a positive number"),
    "not a number": (change_config(encoder_capacity=float("nan")), "encoder_capacity must be a positive number"),
    "infinite": (change_config(encoder_capacity=float("inf")), "."),
    "beyond memory": (change_config(texture_channels=10**13), "must be a positive number below"),
    "all at the limit": (
        change_config(texture_channels=99_999, encoder_capacity=99_999.0),
        "sizes that no network has",
    ),
    "beyond 64 bits": (change_config(texture_channels=10**30), "must be a positive number below"),
    "beyond floats": (change_config(encoder_capacity=10**400), "must be a positive number below"),
    "too many digits": (write("config.json", b'{"image_size": ' + b"9" * 5000 + b"}"), "not readable as JSON"),
    "deep": (write("config.json", b"[" * 100_000), "not readable as JSON"),
    "many levels": (change_config(downsamplings=5000), "downsamplings must be at most 8"),
    "another model": (change_config(downsamplings=4), "missing encoder.trunk.3"),
    "not JSON": (write("config.json", b"image_size: 64\n"), "not readable as JSON"),
    "empty config": (write("config.json", b""), "not readable as JSON"),
    "not UTF-8": (write("config.json", b"\xff\xfe{}"), "not readable as JSON"),
    "a JSON list": (write("config.json", b"[1, 2]"), "expected a JSON object"),
    "another library's": (
        write("config.json", b'{"model_type": "bert", "hidden_size": 768}'),
        "unknown key hidden_size",
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), "lacks config.json"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "lacks model.safetensors"),
    "weights are a folder": (
        lambda folder: ((folder / "model.safetensors").unlink(), (folder / "model.safetensors").mkdir()),
        "lacks model.safetensors",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_folder_is_refused_in_one_line(folder: Path, case: str) -> None:
    damage, words = DAMAGE[case]
    damage(folder)
    message = refused(folder)
    assert re.search(words, message), message
    assert str(folder) in message


def test_what_is_no_folder_is_refused_without_the_network(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("swapae.hub.remote.HfApi", None)
    assert "is a file" in refused(folder / "config.json")
    for name in (folder / "missing", "a/b/c", "no such thing", "", "a" * 300, "nul\0byte", "line\nbreak"):
        assert "no such folder, and not a Hub name" in refused(name)


def test_the_command_line_shows_the_one_line(folder: Path, monkeypatch, capsys) -> None:
    from swapae.apps.cli import main

    write("model.safetensors", b"")(folder)
    image = str(folder / "picture.png")
    monkeypatch.setattr(sys, "argv", ["swapae", "reconstruct", image, "-o", image, "--model", str(folder)])
    assert main() == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and "not safetensors" in output.err


# ---------------------------------------------------------------- the Hub

PRELUDE = """
import json, os, sys, time
import torch
from swapae import SwapAE, SwapAEConfig, UserError
def error(function, *args, **options):
    start = time.monotonic()
    try:
        function(*args, **options)
    except UserError as caught:
        return str(caught), time.monotonic() - start
    return "no error", 0
"""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Callable[..., Any]:
    """Run code in a fresh process with a cache of its own (`home`); returns, through JSON, its variable `result`."""

    def run(code: str, home: str = "home", token: str | None = None, **environment: str) -> Any:
        return result_of(PRELUDE + code, hub, tmp_path, home=home, token=token, **environment)

    return run


def held(repo: Repo, folder: Path) -> None:
    """Make a repository hold a model folder's files."""
    repo.commit({path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.mark.slow
def test_what_is_pushed_is_pulled_by_a_fresh_process(hub: LoopbackHub, client, tmp_path: Path, tiny_model) -> None:
    codes = Codes(torch.randn(1, 4, 8, 8), torch.randn(1, 32))
    tiny_model.save_pretrained(tmp_path / "local")
    save_file(codes._asdict(), tmp_path / "codes.safetensors")
    pushed = client("""
model = SwapAE.from_pretrained("local")
url = model.push_to_hub("tester/tulips", model_card_kwargs=dict(metrics={"LPIPS": 0.231}, license="apache-2.0"))
model.push_to_hub("secret", private=True)                 # the name alone means one's own
with torch.no_grad():
    model.generator.to_rgb.bias.fill_(0.5)
model.push_to_hub("tester/tulips", commit_message="Brighter", branch="bright")
result = url
""")
    repo = hub.repos["tester/tulips"]
    assert pushed.endswith(repo.branches["main"])
    assert set(repo.files()) == FILES | {".gitattributes"}
    assert hub.repos["tester/secret"].private and not repo.private
    card = ModelCard(repo.files()["README.md"].decode())
    assert card.text.count("tester/tulips") == 2 and "owner/name" not in card.text
    assert 'from_pretrained("tester/tulips")' in card.text and "| LPIPS | 0.231 |" in card.text
    assert card.data.to_dict().items() >= {"library_name": "swapae", "license": "apache-2.0"}.items()
    assert 'from_pretrained("tester/secret")' in hub.repos["tester/secret"].files()["README.md"].decode()

    first = repo.branches["main"]
    client(
        f"""
from safetensors.torch import load_file, save_file
from swapae import Codes
codes = Codes(**load_file("codes.safetensors"))
models = dict(
    main=SwapAE.from_pretrained("tester/tulips"),
    secret=SwapAE.from_pretrained("tester/secret"),
    commit=SwapAE.from_pretrained("tester/tulips", revision="{first}"),
    bright=SwapAE.from_pretrained("tester/tulips", revision="bright"),
    cached=SwapAE.from_pretrained("tester/tulips", local_files_only=True),
)
half = SwapAE.from_pretrained("tester/tulips", dtype=torch.bfloat16)
assert half.generator.blocks[0].conv1.weight.dtype == torch.bfloat16
assert half.generator.blocks[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
for name, model in models.items():
    assert not model.training
    with torch.no_grad():
        tensors = model.state_dict() | dict(decoded=model.decode(codes))
    save_file({{key: value.contiguous() for key, value in tensors.items()}}, name + ".safetensors")
result = None
""",
        home="fresh",
    )
    expected = {name: value.contiguous() for name, value in tiny_model.state_dict().items()}
    with torch.no_grad():
        expected["decoded"] = tiny_model.decode(codes)
    for name in ("main", "secret", "commit", "cached"):
        got = load_file(tmp_path / f"{name}.safetensors")
        assert got.keys() == expected.keys()
        assert all(torch.equal(got[key], expected[key]) for key in expected), name
    bright = load_file(tmp_path / "bright.safetensors")
    assert bright["generator.to_rgb.bias"].tolist() == [0.5] * 3
    assert not torch.equal(bright["decoded"], expected["decoded"])


@pytest.mark.slow
def test_directions_travel_with_their_model(hub: LoopbackHub, client, tmp_path: Path, tiny_model) -> None:
    tiny_model.save_pretrained(tmp_path / "local")
    named = {"warm": Direction(torch.ones(32), "cooler", "warmer")}
    known = Directions(torch.ones(32), torch.eye(32)[:3], torch.ones(4), torch.eye(4), named)
    known.save(tmp_path / "mine.safetensors", tiny_model)
    pushed = client("""
import contextlib, io
from swapae.apps.cli import main
SwapAE.from_pretrained("local").push_to_hub("tester/tulips")
sys.argv = ["swapae", "direction", "push", "mine.safetensors", "tester/tulips", "--model", "tester/tulips"]
with contextlib.redirect_stdout(io.StringIO()) as out:
    status = main()
result = [status, out.getvalue().strip()]
""")
    repo = hub.repos["tester/tulips"]
    assert pushed[0] == 0 and pushed[1].endswith(repo.branches["main"])
    assert set(repo.files()) == FILES | {".gitattributes", "directions.safetensors"}
    words = client("""
from swapae.editing.directions import Directions
model = SwapAE.from_pretrained("tester/tulips")
found = Directions.from_pretrained(model, "tester/tulips")
result = {name: [one.less, one.more, one.vector.sum().item()] for name, one in found.named.items()}
""", home="fresh")  # fmt: skip
    assert words == {"warm": ["cooler", "warmer", 32.0]}


def test_what_cannot_be_pulled_is_one_line(hub: LoopbackHub, client, folder: Path) -> None:
    for name in ("model", "secret", "gated", "broken"):
        hub.repos[f"tester/{name}"] = Repo(private=name == "secret", gated=name == "gated")
        held(hub.repos[f"tester/{name}"], folder)
    files = hub.repos["tester/broken"].files()
    hub.repos["tester/broken"].commit(files | {"model.safetensors": files["model.safetensors"][:99]})
    hub.repos["tester/empty"] = Repo()
    hub.repos["tester/empty"].commit({"README.md": b"# Nothing\n"})
    hub.repos["tester/weightless"] = Repo()
    hub.repos["tester/weightless"].commit({"config.json": files["config.json"]})
    results = client(
        """
load = SwapAE.from_pretrained
result = dict(
    missing=error(load, "tester/none"), no_owner=error(load, "none"),
    secret=error(load, "tester/secret"), gated=error(load, "tester/gated"),
    forged=error(load, "tester/model", token="hf_forged"), no_login=error(load, "tester/model", token=True),
    branch=error(load, "tester/model", revision="none"), commit=error(load, "tester/model", revision="0" * 40),
    empty=error(load, "tester/empty"), weightless=error(load, "tester/weightless"),
    broken=error(load, "tester/broken"),
    uncached=error(load, "tester/model", local_files_only=True),
    still_good=load("tester/model").config.texture_channels,
)
""",
        token="",
    )
    assert results.pop("still_good") == 32
    expected = {
        "missing": "'tester/none': no such folder, and no such model on the Hub",
        "no_owner": "'none': no such folder, and not a Hub name either (owner/name); models that come with swapae are:",
        "secret": "'tester/secret': no such folder, and no such model on the Hub; check the name, or give token=",
        "gated": "'tester/gated': ask for access on its Hub page",
        "forged": "'tester/model' cannot be downloaded: the Hub knows no such token; sign in",
        "no_login": "'tester/model' cannot be downloaded: ",
        "branch": "'tester/model' at revision 'none' does not exist; give a branch",
        "commit": f"'tester/model' at revision '{'0' * 40}' does not exist",
        "empty": "'tester/empty' is no swapae model, it lacks config.json and model.safetensors; give",
        "weightless": "'tester/weightless' is no swapae model, it lacks model.safetensors",
        "broken": "model.safetensors' is missing, damaged or not safetensors",
        "uncached": "'tester/model': no such folder, not in the cache, and only local files may be used",
    }
    assert results.keys() == expected.keys()
    for case, (message, seconds) in results.items():
        assert expected[case] in one_line(UserError(message)), case
        assert seconds < 5, case


def test_what_cannot_be_pushed_is_one_line_and_leaves_nothing(hub: LoopbackHub, client, folder: Path) -> None:
    results = client("""
model = SwapAE.from_pretrained("model")
push = model.push_to_hub
result = dict(
    signed_out=error(push, "tester/new", token=False), forged=error(push, "tester/new", token="hf_forged"),
    other=error(push, "somebody/new"), name=error(push, "no such name"), path=error(push, "./model/x"),
)
with torch.no_grad():
    model.generator.to_rgb.bias.fill_(torch.nan)
result["broken"] = error(push, "tester/new")
""")
    expected = {
        "signed_out": "cannot upload to 'tester/new': the Hub knows no such token; sign in with `hf auth login`",
        "forged": "cannot upload to 'tester/new': the Hub knows no such token",
        "other": "cannot upload to 'somebody/new': this token may not do that; give your own name",
        "name": "'no such name' is not a Hub name; give owner/name",
        "path": "'./model/x' is not a Hub name",
        "broken": "generator.to_rgb.bias is not finite",
    }
    assert results.keys() == expected.keys()
    for case, (message, seconds) in results.items():
        assert expected[case] in one_line(UserError(message)), case
        assert seconds < 5, case
    assert hub.repos == {}


@pytest.mark.slow
def test_without_network_the_cache_serves_and_the_rest_fails_fast(hub: LoopbackHub, client, folder: Path) -> None:
    hub.repos["tester/model"] = Repo()
    held(hub.repos["tester/model"], folder)
    client('SwapAE.from_pretrained("tester/model")\nresult = None')
    hub.close()
    code = """
model = SwapAE.from_pretrained("tester/model")
result = error(SwapAE.from_pretrained, "tester/other"), error(model.push_to_hub, "tester/new")
"""
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        start = time.monotonic()
        (pull, pull_seconds), (push, push_seconds) = client(code, **environment)
        assert "'tester/other': no such folder, not in the cache, and the Hub cannot be reached" in pull
        assert "cannot upload to 'tester/new': " in push
        assert one_line(UserError(pull)) and one_line(UserError(push))
        assert pull_seconds < 5 and push_seconds < 5
        assert time.monotonic() - start < 30
