import dataclasses
import functools

import pytest
import torch
from sizes import CRITICS

from swapae import PRESETS, SwapAE
from swapae.config import Preset
from swapae.losses import Losses, LossWeights
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.estimates import Estimate, Meter, Step, Throughput, describe, estimate, throughput
from swapae.training.generator_step import GeneratorStep
from swapae.training.optimizers import adam
from swapae.training.random import StepRandom

SMALL = dataclasses.replace(CRITICS, patch_hidden_channels=64)
estimated = functools.cache(estimate)  # a second each


@pytest.fixture(scope="module")
def preset(tiny_config):
    return Preset(tiny_config, SMALL)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_parameters_and_state_are_those_of_the_networks_and_their_optimisers(preset):
    costs = estimated(preset, 2)
    model, discriminators = SwapAE(preset.model), DiscriminatorStep(preset.discriminators, LossWeights())
    assert (costs.encoder, costs.generator) == (count(model.encoder), count(model.generator))
    assert costs.image_discriminator == count(discriminators.image_discriminator)
    assert costs.patch_discriminator == count(discriminators.patch_discriminator)
    state = 4 * (2 * count(model) + count(discriminators))  # weights, and the averaged model's
    for network in (model, discriminators):
        optimizer = adam(network.parameters(), 0.001)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        moments = (slot for slots in optimizer.state.values() for slot in slots.values() if slot.dim())
        state += sum(slot.nbytes for slot in moments)
    # A parameter of one number has moments with a dimension too; Adam's step counters have none.
    assert costs.state_bytes == state


def test_arithmetic_of_the_published_size():
    costs = estimate(PRESETS["church256"], 2)
    assert [round(n / 1e6, 1) for n in dataclasses.astuple(costs)[1:5]] == [30.6, 25.1, 28.9, 24.5]
    # Counted by hand for a prototype: 1016, 780 and 785. The G step is 2 % above; R1 makes four convolutions a layer
    # where the prototype made six (`CheapSecondDerivatives`).
    for step, known in ((costs.discriminator_step, 1016), (costs.generator_step, 780), (costs.r1_step, 785 * 4 / 6)):
        assert step.flop / 1e9 == pytest.approx(known, rel=0.03)


@pytest.mark.slow
def test_memory_grows_with_the_images_and_halves_with_the_precision(preset):
    two, four, eight = (estimated(preset, size) for size in (2, 4, 8))
    assert two.state_bytes == four.state_bytes
    for name in ("discriminator_step", "generator_step", "r1_step"):
        a, b, c = (getattr(costs, name) for costs in (two, four, eight))
        assert c.peak - b.peak == pytest.approx(2 * (b.peak - a.peak), rel=0.02)
        # Linear layers that compare patches, and every convolution, do the same for each image.
        assert a.flop == pytest.approx(c.flop, rel=1e-6)
        if name == "r1_step":
            assert c.half_peak == c.peak  # never in half precision
        else:
            assert 0.45 * (c.peak - b.peak) < c.half_peak - b.half_peak < 0.6 * (c.peak - b.peak)
    assert eight.peak_bytes("no") == eight.state_bytes + eight.generator_step.peak
    assert eight.peak_bytes("bf16") == eight.peak_bytes("fp16") < eight.peak_bytes("no")
    accumulated = estimated(preset, 8, accumulates=True)
    gradients = 4 * (eight.encoder + eight.generator)
    more = accumulated.generator_step.peak - eight.generator_step.peak
    assert 0.5 * gradients < more <= 1.01 * gradients


@pytest.mark.parametrize("half", [False, True])
def test_steps_on_meta_hold_what_real_ones_do(preset, half):
    costs = estimated(preset, 4)
    generator = GeneratorStep(SwapAE(preset.model), LossWeights())
    discriminators = DiscriminatorStep(preset.discriminators, LossWeights())
    images = torch.rand(4, 3, 64, 64).to(memory_format=torch.channels_last)
    for module, other, step in (
        (discriminators, generator.model, costs.discriminator_step),
        (generator, discriminators, costs.generator_step),
    ):
        with Meter() as meter:
            with torch.autocast("cpu", enabled=half):
                made = module(other, images.clone(), StepRandom(0, 0))
            (made if isinstance(made, Losses) else made[0]).total.backward()
        # In bf16 a CPU computes strided filters at every pixel (`Blur`): 4 % more.
        assert meter.flop / 4 == pytest.approx(step.flop, rel=0.05 if half else 1e-6)
        # A CPU's autocast pads in float32, CUDA's and ours do not: up to 16 % more.
        assert meter.peak == pytest.approx(step.half_peak if half else step.peak, rel=0.2 if half else 0.01)
        module.zero_grad(set_to_none=True)


def test_discriminators_of_features_have_no_r1_and_share_the_batches():
    costs = estimate(PRESETS["small256"], 2)
    assert costs.r1_step is None and costs.patch_discriminator > 500_000
    assert costs.flop_per_image_seen == costs.discriminator_step.flop + costs.generator_step.flop
    # What the generator makes is in its own step alone.
    assert costs.discriminator_step.flop < costs.generator_step.flop
    lines = describe(costs, Throughput(1e12, 1e12), "bf16", 1, 1000)
    assert "generator step" in lines and "R1" not in lines


def test_swaps_need_pairs(preset):
    with pytest.raises(ValueError, match="at least 2 images"):
        estimate(preset, 1)


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_throughput_is_that_of_a_machine(precision):
    assert 1e8 < throughput("cpu", precision, seconds=0.05) < 1e16


def test_the_lines_say_how_much_and_from_what():
    gigaflop, gibibyte = 10**9, 2**30
    steps = [Step(1016.4 * gigaflop, 3 * gibibyte, gibibyte), Step(780.0 * gigaflop, 2 * gibibyte, gibibyte)]
    costs = Estimate(4, 30_600_000, 25_100_000, 28_900_000, 0, *steps, Step(785.0 * gigaflop, gibibyte, gibibyte))
    lines = describe(costs, Throughput(1e12, 1e12), "no", 2, 1_000_000).splitlines()
    parameters, work, memory, speed, time = lines
    assert all(text in parameters for text in ("counted", "encoder 30.6 M", "generator 25.1 M", "patch discriminator"))
    assert "discriminator step 1,016, generator step 780, R1 (every 16th step) 785" in work
    assert "estimate" in memory and "4 images" in memory
    assert "4.15 GiB in float32, 2.15 GiB with bf16" in memory  # 1.15 of weights, moments and average
    assert "estimate" in speed and "1,000 GFLOP/s" in speed and "60%" in speed
    # 2 images cost 1016.4 + 780 + 785 / 16 GFLOP, at 600 GFLOP/s.
    assert "0.65 images/s per process" in speed
    assert "estimate" in time and "2 processes" in time and "8.9 days for 1,000,000 images" in time
    # What is no convolution takes two thirds of a unit of time still, and convolutions a tenth instead of one.
    halved = describe(costs, Throughput(1e13, 1e12), "bf16", 2, 10)
    assert "GiB in float32" not in halved and "the 13% of it that steps reach): 1.41 images/s" in halved
    assert "1 process with" in describe(costs, Throughput(1e12, 1e12), "bf16", 1, 100) and "minutes" in describe(
        costs, Throughput(1e12, 1e12), "no", 1, 9
    )
    assert "hours for" in describe(costs, Throughput(1e13, 1e13), "no", 2, 100_000)
