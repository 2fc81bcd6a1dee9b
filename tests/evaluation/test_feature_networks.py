"""Networks that sets are compared by: what their figures are called, and torch-fidelity's Inception."""

import sys
from pathlib import Path

import pytest
import torch
from torchvision_operators import define_missing_operators

from swapae.errors import UserError
from swapae.evaluation.feature_networks import INCEPTION_FILE, WEIGHTS_VARIABLE, Inception, Trunk, find_inception
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.networks import Networks


@pytest.fixture(scope="module")
def fidelity():
    """torch-fidelity, which imports a torchvision that may have been built for another torch."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        define_missing_operators()
    import torch_fidelity

    return torch_fidelity


@pytest.fixture(scope="module")
def weights(fidelity, tmp_path_factory):
    """A file of torch-fidelity's format with random weights: right for the wiring, not for measuring images."""
    path = tmp_path_factory.mktemp("inception") / INCEPTION_FILE
    with pytest.MonkeyPatch.context() as patch:
        module = sys.modules[fidelity.FeatureExtractorInceptionV3.__module__]
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("random", ["2048"])
    torch.save(network.state_dict(), path)
    return path


def test_the_trunks_of_lpips_never_call_their_distances_fid():
    distance = LPIPS("squeeze")
    network = Trunk(distance, "SqueezeNet")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = network(images)
    assert features.whole.shape == (2, 512) and features.local.shape == (2, 64, 31, 31)
    torch.testing.assert_close(features.whole, distance.features(images)[-1].mean((2, 3)))
    names = (network.frechet, network.kernel, network.single)
    assert all("SqueezeNet" in name and "FID" not in name and "KID" not in name for name in names)


def test_inception_is_torch_fidelitys(fidelity, weights):
    state = torch.get_rng_state()
    network = Inception(weights)
    assert torch.equal(torch.get_rng_state(), state)
    assert (network.frechet, network.kernel, network.single) == ("FID", "KID", "SIFID")
    theirs = fidelity.FeatureExtractorInceptionV3("theirs", ["64", "2048"], str(weights))
    levels = torch.randint(0, 256, (2, 3, 80, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pooled, whole = theirs(levels)
    features = network(levels.float() / 127.5 - 1)
    assert torch.equal(features.whole, whole)
    # Local ones are before the first pooling, after which torch-fidelity averages them.
    assert features.local.shape == (2, 64, 147, 147)
    torch.testing.assert_close(torch.nn.functional.max_pool2d(features.local, 3, 2).mean((2, 3)), pooled)


def test_inception_is_used_only_where_its_weights_are_named(weights, monkeypatch, tmp_path):
    monkeypatch.delenv("SWAPAE_LPIPS_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    assert find_inception() is None
    networks = Networks.load()
    assert networks.main == "squeeze" and list(networks.lpips) == ["squeeze"]
    assert networks.sets.frechet == "Frechet distance (SqueezeNet)"
    for named in (weights, weights.parent):
        monkeypatch.setenv(WEIGHTS_VARIABLE, str(named))
        assert find_inception() == weights
    assert Networks.load().sets.frechet == "FID"
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match=f"{WEIGHTS_VARIABLE}: .* nor a folder with {INCEPTION_FILE}; get it from http"):
        find_inception()


def test_weights_that_are_not_inceptions_are_refused(fidelity, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(UserError, match="does not hold torch-fidelity's Inception weights"):
        Inception(path)
    path.write_bytes(b"no weights")
    with pytest.raises(UserError, match="is damaged or not a weights file"):
        Inception(path)


def test_code_in_a_weights_file_is_not_run(fidelity, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harmed",))

    torch.save({"fc.weight": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(UserError, match="is damaged or not a weights file"):
        Inception(tmp_path / "harmful.pth")
    assert not (tmp_path / "harmed").exists()


def test_without_torch_fidelity_the_error_says_what_to_install(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"needs torch-fidelity .*pip install 'swapae\[metrics\]'"):
        Inception(weights)
