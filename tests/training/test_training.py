import copy
import functools

import pytest
import torch
from sizes import CRITICS

from swapae.losses import LossWeights
from swapae.training.random import Draws
from swapae.training.steps import (
    AveragedWeights,
    DiscriminatorStep,
    GeneratorStep,
    Reading,
    adam,
    compile_networks,
    share_of_rate,
)


def losses(made):
    """The sum of a step's losses, whether it gives its fakes too or not."""
    terms = made[0] if isinstance(made, tuple) else made
    return sum(value for name, value in terms.items() if name != "real_sign")


@pytest.fixture
def steps(tiny_model):
    torch.manual_seed(0)
    model = tiny_model.train()
    return GeneratorStep(model, LossWeights()), DiscriminatorStep(CRITICS, LossWeights())


def test_each_step_trains_its_own_networks_alone(steps):
    generator, critics = steps
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    sum(critics(generator.model, images, Draws(0, 0)).values()).backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad is not None for p in critics.parameters())
    critics.zero_grad(set_to_none=True)
    sum(generator(critics, images, Draws(0, 0))[0].values()).backward()
    assert all(p.grad is None and p.requires_grad for p in critics.parameters())
    assert all(p.grad is not None for p in generator.parameters())
    assert not {id(p) for p in generator.parameters()} & {id(p) for p in critics.parameters()}


def test_training_without_noise_leaves_its_weights_alone(tiny_model):
    generator = GeneratorStep(tiny_model.train(), LossWeights(), Reading("zero"))
    critics = DiscriminatorStep(CRITICS, LossWeights(), Reading("zero"))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    reconstruction = [generator(critics, images, Draws(0, step))[0]["g_l1"] for step in range(2)]
    assert torch.equal(*reconstruction)  # crops are random, pictures are not
    sum(generator(critics, images, Draws(0, 0))[0].values()).backward()
    without = {name for name, parameter in tiny_model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in tiny_model.named_parameters() if name.endswith("noise_weight")}


def test_draws_do_not_depend_on_how_the_batch_is_shared_out():
    alone = Draws(3, 5)
    shares = [Draws(3, 5, process, 2) for process in range(2)]
    for _ in range(2):  # the second call draws other numbers
        whole = alone.uniform(4, 8, 5)
        assert torch.equal(whole, torch.cat([share.uniform(2, 8, 5) for share in shares]))
        maps = alone.noise(4, [(2, 3), (4, 6)], torch.device("cpu"))
        parts = [share.noise(2, [(2, 3), (4, 6)], torch.device("cpu")) for share in shares]
        assert [map.shape for map in maps] == [(4, 1, 2, 3), (4, 1, 4, 6)]
        assert all(
            torch.equal(map, torch.cat(pieces)) for map, pieces in zip(maps, zip(*parts, strict=True), strict=True)
        )
    assert not torch.equal(whole, alone.uniform(4, 8, 5))
    assert not torch.equal(Draws(3, 5).uniform(4), Draws(3, 6).uniform(4))
    assert not torch.equal(Draws(3, 5).uniform(4), Draws(4, 5).uniform(4))
    noise = torch.cat([map.flatten() for map in Draws(0, 0).noise(8, [(64, 64)], torch.device("cpu"))])
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


def test_gradients_of_shares_average_to_those_of_the_batch(steps):
    """In float64, so that only a real difference shows."""
    generator, critics = (step.double() for step in steps)
    images = torch.rand(4, 3, 64, 64, dtype=torch.float64) * 2 - 1

    def gradients(images, draws):
        found = []
        for module, other, options in (
            (critics, generator.model, {}),
            (critics, generator.model, {"r1": True}),
            (generator, critics, {}),
        ):
            module.zero_grad(set_to_none=True)
            losses(module(other, images, draws, **options)).backward()
            found += [parameter.grad for parameter in module.parameters()]
        return found

    whole = gradients(images, Draws(1, 2))
    shares = [gradients(images[2 * p : 2 * p + 2], Draws(1, 2, p, 2)) for p in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        torch.testing.assert_close(sum(parts) / 2, batch, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_compiled_steps_have_the_same_losses_and_gradients(steps, monkeypatch):
    """Without the compiler's last stage, which takes minutes: what it is given is captured from the real steps."""
    generator, critics = steps
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    monkeypatch.setattr(
        torch.nn.Module, "compile", functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    )

    def everything():
        found = []
        for module, other, options in ((critics, generator.model, {}), (critics, generator.model, {"r1": True}),
                                       (generator, critics, {})):  # fmt: skip
            module.zero_grad(set_to_none=True)
            made = module(other, images, Draws(0, 0), **options)
            terms = made[0] if isinstance(made, tuple) else made
            losses(terms).backward()
            found += [*terms.values(), *(parameter.grad for parameter in module.parameters())]
        return found

    plain = everything()
    names = set(critics.state_dict())
    compile_networks(generator.model, critics)
    assert all(torch.allclose(*pair, rtol=1e-3, atol=1e-5) for pair in zip(plain, everything(), strict=True))
    assert set(critics.state_dict()) == names and generator.model.encoder._compiled_call_impl is not None


def test_lazy_r1_corrects_adam():
    parameter = torch.nn.Parameter(torch.zeros(1))
    lazy = adam([parameter], 0.002, lazy_r1_interval=16).param_groups[0]
    assert lazy["lr"] == pytest.approx(0.002 * 16 / 17)
    assert lazy["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert adam([parameter], 0.002).param_groups[0]["betas"] == (0.0, 0.99)


def test_the_learning_rate_falls_over_the_last_images_alone():
    assert [share_of_rate(seen, 100, 40) for seen in (0, 60, 80, 99)] == [1, 1, 0.5, 0.025]
    assert share_of_rate(99, 100, 0) == 1


def test_averaged_weights_by_hand():
    source = torch.nn.Linear(1, 1, bias=False)
    target = copy.deepcopy(source)
    with torch.no_grad():
        source.weight.fill_(1.0), target.weight.fill_(0.0)
    averages = AveragedWeights(source, target, half_life=100)
    averages.update(batch=100, images_seen=10**6)
    assert target.weight.item() == pytest.approx(0.5)
    averages.update(batch=50, images_seen=1000)  # ramp: a half-life of 50
    assert target.weight.item() == pytest.approx(0.75)
    assert not target.weight.requires_grad
    AveragedWeights(source, target, half_life=100, ramp=False).update(batch=100, images_seen=100)
    assert target.weight.item() == pytest.approx(0.875)


def test_a_few_steps_lower_the_reconstruction_loss(tiny_model):
    torch.manual_seed(0)
    generator, critics = (
        GeneratorStep(tiny_model.train(), LossWeights()),
        DiscriminatorStep(CRITICS, LossWeights()),
    )
    images = torch.rand(4, 3, 1, 1).expand(-1, -1, 64, 64) * 2 - 1
    optimizer = adam(generator.parameters(), 0.01)
    losses = []
    for _ in range(30):
        terms, _ = generator(critics, images, Draws(0, 0))
        losses.append(terms["g_l1"].item())
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]
