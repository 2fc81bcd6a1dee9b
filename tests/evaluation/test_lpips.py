"""`swapae.evaluation.lpips`: equal to the `lpips` package to the bit; published numbers; ways of lacking weights."""

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision_operators import define_missing_operators

from swapae.backbones import BACKBONES, PACKAGED, WEIGHTS_VARIABLE
from swapae.errors import UserError
from swapae.evaluation.lpips import LPIPS

FOLDER = Path(__file__).parents[1] / "lpips"
SQUEEZE = PACKAGED / "squeezenet1_1_features.safetensors"


def photo(name: str) -> Tensor:
    pixels = np.array(Image.open(FOLDER / f"ex_{name}.png").convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1


@pytest.fixture
def squeeze() -> LPIPS:
    return LPIPS("squeeze", SQUEEZE)


@pytest.fixture
def random_trunk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A backbone of seeded random weights: right for comparing implementations, not for measuring images."""
    torch.manual_seed(7)
    path = tmp_path / BACKBONES[request.param].file
    save_file({f"features.{name}": t for name, t in BACKBONES[request.param].build().state_dict().items()}, path)
    return request.param, path


def package_lpips(net: str, weights: Path) -> nn.Module:
    """The `lpips` package's own module with the backbone weights of `weights` copied in."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        define_missing_operators()
    lpips = pytest.importorskip("lpips")
    with pytest.warns(UserWarning), torch.device("meta"):  # meta: torchvision would fill 0.5 GB of classifier
        theirs = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    heads = torch.load(Path(lpips.__file__).with_name("weights") / "v0.1" / f"{net}.pth", map_location="cpu")
    theirs.load_state_dict(heads, strict=False, assign=True)
    theirs.scaling_layer = lpips.ScalingLayer()
    trunk = load_file(weights)
    for part in theirs.net.children():
        for number, layer in part.named_children():
            layer.load_state_dict(
                {name: trunk[f"features.{number}.{name}"] for name in layer.state_dict()}, assign=True
            )
    return theirs


def check_equal_to_package(net: str, weights: Path) -> None:
    ours, theirs = LPIPS(net, weights), package_lpips(net, weights)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, 3, 71, 64, generator=generator) * 2 - 1
    ours_a, theirs_a = a.clone().requires_grad_(), a.clone().requires_grad_()
    distances, expected = ours(ours_a, b), theirs(theirs_a, b)
    assert distances.shape == (3,)
    assert torch.equal(distances, expected.flatten())
    distances.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours_a.grad, theirs_a.grad, rtol=1e-4, atol=1e-9)


def test_squeeze_with_its_real_trunk_equals_the_package() -> None:
    check_equal_to_package("squeeze", SQUEEZE)


@pytest.mark.parametrize("random_trunk", ["alex", "vgg"], indirect=True)
def test_alex_and_vgg_equal_the_package(random_trunk: tuple[str, Path]) -> None:
    check_equal_to_package(*random_trunk)


def test_published_numbers(squeeze: LPIPS) -> None:
    distances = squeeze(torch.cat([photo("ref")] * 2), torch.cat([photo("p0"), photo("p1")]))
    assert distances.tolist() == pytest.approx([0.7110, 0.1479], abs=5e-5)


def test_a_metric_is_zero_for_equal_images_and_symmetric(squeeze: LPIPS) -> None:
    ref, p0 = photo("ref"), photo("p0")
    assert squeeze(ref, ref).item() == 0
    assert torch.equal(squeeze(ref, p0), squeeze(p0, ref))


def test_gradients_are_finite_where_a_layer_is_dead(squeeze: LPIPS) -> None:
    """The root's derivative at 0 makes NaN there; ReLU's own must drop it, or one grey patch ends a run."""
    squeeze.backbone.layers[0].bias.fill_(-100)
    a = torch.zeros(1, 3, 32, 32, requires_grad=True)
    squeeze(a, torch.ones(1, 3, 32, 32)).backward()
    assert a.grad.isfinite().all()


def test_serves_as_a_training_loss(squeeze: LPIPS) -> None:
    a, b = photo("p0").requires_grad_(), photo("ref")
    before = squeeze(a, b)
    before.backward()
    assert squeeze(a.detach() - 0.1 * a.grad.sign(), b) < before
    assert not any(parameter.requires_grad for parameter in squeeze.parameters())
    assert not squeeze.training


def test_computes_in_float32_under_autocast(squeeze: LPIPS) -> None:
    expected = squeeze(photo("ref"), photo("p0"))
    with torch.autocast("cpu", torch.bfloat16):
        distance = squeeze(photo("ref"), photo("p0"))
    assert distance.dtype == torch.float32
    assert torch.equal(distance, expected)
    assert squeeze(photo("ref").bfloat16(), photo("p0").bfloat16()).dtype == torch.float32


def test_making_it_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    LPIPS("squeeze", SQUEEZE)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_importing_it_imports_neither_lpips_nor_torchvision() -> None:
    code = f"""
import sys, swapae.evaluation.lpips
swapae.evaluation.lpips.LPIPS("squeeze", {str(SQUEEZE)!r})
assert not {{"lpips", "torchvision"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("a", "b"),
    [((1, 3, 64, 64), (2, 3, 64, 64)), ((1, 1, 64, 64),) * 2, ((3, 64, 64),) * 2, ((1, 3, 31, 64),) * 2],
)
def test_refuses_other_shapes(squeeze: LPIPS, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="sides of at least 32, got"):
        squeeze(torch.zeros(a), torch.zeros(b))


def test_refuses_an_unknown_backbone() -> None:
    with pytest.raises(UserError, match="no backbone 'resnet'; choose one of alex, squeeze, vgg"):
        LPIPS("resnet")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No weights anywhere and no network; returns the folder that the environment variable names."""

    def refuse(url: str, **_: object) -> None:
        raise URLError("Name or service not known")

    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    return folder


def test_offline_without_weights_the_error_says_which_file_goes_where(offline: Path) -> None:
    with pytest.raises(UserError) as caught:
        LPIPS("alex")
    for part in (
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "Name or service not known",
        str(offline.parent / "torch" / "hub" / "checkpoints"),
        f"alexnet_features.safetensors in a folder named by {WEIGHTS_VARIABLE}",
    ):
        assert part in str(caught.value)


def test_finds_weights_by_folder_variable_and_hub_cache(offline: Path) -> None:
    LPIPS("squeeze", PACKAGED)

    tensors = load_file(SQUEEZE)
    (offline / SQUEEZE.name).symlink_to(SQUEEZE)
    LPIPS("squeeze")
    (offline / SQUEEZE.name).unlink()

    cached = offline.parent / "torch" / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    cached.parent.mkdir(parents=True)
    torch.save({**tensors, "classifier.1.weight": torch.zeros(1000, 512, 1, 1)}, cached)
    LPIPS("squeeze")


def test_an_explicit_path_without_weights_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="nor a folder with squeezenet1_1_features.safetensors or squ"):
            LPIPS("squeeze", path)


@pytest.mark.parametrize("name", [SQUEEZE.name, "squeezenet1_1-b8a52dc0.pth"])
@pytest.mark.parametrize("content", [b"", b"<html>proxy</html>" * 99, SQUEEZE.read_bytes()[:100_000]])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged or not a weights file"):
        LPIPS("squeeze", tmp_path)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not hold the weights of the backbone 'alex'"):
        LPIPS("alex", SQUEEZE)
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(UserError, match="holds a list, not named tensors"):
        LPIPS("squeeze", tmp_path / "list.pth")


def test_without_the_lpips_package_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install lpips"):
        LPIPS("squeeze", SQUEEZE)
