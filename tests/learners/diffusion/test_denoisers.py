"""Denoisers see log SNR alone, skips are what they say, and anybody's network takes their place."""

import copy

import pytest
import torch

from twopart._checks import InputError
from twopart.learners.diffusion import (
    ConvDenoiser,
    MLPDenoiser,
    consistency_distill,
    from_diffusers,
    pure_noise,
    sample,
    train_denoisers,
    wrap,
)
from twopart.worlds.diffusion import SunShadow
from twopart.worlds.noise import DDPM, OU, VE, Flow, grid
from twopart.worlds.noised import oracle
from twopart.worlds.targets import GaussianTarget


@pytest.mark.parametrize(
    "make", [lambda clock, **k: MLPDenoiser(3, clock, **k), lambda clock, **k: ConvDenoiser(1, clock, **k)]
)
@pytest.mark.parametrize("skip", ["none", "edm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_weights_under_another_clock(make, skip, dtype):
    """Points at one log SNR differ in scale alone, and so do not what the network says."""
    shape, answers = (5, 3) if make(OU()).__class__ is MLPDenoiser else (5, 1, 8, 6), []
    point = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    for clock in (OU(), VE(), Flow()):
        torch.manual_seed(0)
        model, t = make(clock, skip=skip, data_std=0.5).to(dtype), clock.time(torch.tensor(0.7).double())
        x = clock.scale(t).to(dtype) * point
        answers.append(model(x, t))
        assert answers[-1].dtype == dtype
        assert torch.allclose(model(x, t.expand(5)), answers[-1], rtol=1e-4, atol=1e-5)
        assert torch.allclose(model(x[1:2], float(t)), answers[-1][1:2], rtol=1e-4, atol=1e-5)
    for other in answers[1:]:
        assert torch.allclose(other, answers[0], rtol=1e-3, atol=1e-4)


def test_the_skip_of_edm_is_the_best_linear_denoiser():
    model, clock = MLPDenoiser(2, OU(), skip="edm", data_std=0.6), OU()
    with torch.no_grad():
        for part in model.network[-1].parameters():
            part.zero_()
    x, t = torch.randn(7, 2).double(), 0.3
    perfect = oracle(GaussianTarget([1 / 0.36, 1 / 0.36]), clock, "eps")(x, t)
    assert torch.allclose(model.double()(x, t), perfect)
    model.scaling.skip = lambda a, s, std: (1.0, 1.0)
    assert torch.equal(model(x, t), x)


class Half(torch.nn.Module):
    """Answers in one of the ways that libraries do, and remembers the times."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x, t):
        self.seen = t
        return self.how(x / 2)


@pytest.mark.parametrize("how", [lambda y: y, lambda y: (y,), lambda y: type("Out", (), {"sample": y})()])
def test_modules_of_users(how):
    model, x = Half(how), torch.randn(3, 2)
    wrapped = wrap(model, prediction="v", time=lambda t: 10 * t)
    assert torch.equal(wrapped(x, 0.25), x / 2)
    assert model.seen.tolist() == [2.5] * 3
    assert wrapped.prediction == "v"
    assert list(wrapped.state_dict()) == list(model.state_dict()) == []
    with pytest.raises(InputError, match=r"`module` must be one that answers in the shape \(3, 2\), got \(3,\)"):
        wrap(Half(lambda y: y[:, 0]))(x, 0.25)


@pytest.mark.parametrize("said", ["epsilon", "v_prediction", "sample"])
def test_a_pipeline_of_diffusers(said):
    """Its own sampling loop and ours draw the same images from the same noise."""
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 8), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    scheduler = diffusers.DDIMScheduler(50, clip_sample=False, prediction_type=said)
    scheduler.set_timesteps(5)
    model, clock = from_diffusers(type("Pipeline", (), {"unet": unet, "scheduler": scheduler})())
    x = start = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        for k in scheduler.timesteps[:-1]:
            x = scheduler.step(unet(x, k).sample, k, x).prev_sample
    times = scheduler.timesteps.double() + 1
    ours = sample(model, clock, times, start, solver="ddim", prediction=model.prediction)
    assert torch.allclose(ours, x, rtol=1e-4, atol=1e-5)
    assert isinstance(clock, DDPM)
    student = wrap(copy.deepcopy(unet), prediction=model.prediction, time=model.time)
    found = consistency_distill(model, student, start, clock, times, steps=1, batch=2, init="teacher")
    assert found.sample((2, 1, 8, 8)).shape == start.shape


def test_a_network_of_diffusers_is_trained_and_draws_scenes_that_are_read():
    diffusers = pytest.importorskip("diffusers")
    network = diffusers.UNet2DModel(
        16, 1, 1, block_out_channels=(8, 8), norm_num_groups=4, layers_per_block=1, add_attention=False,
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
    )  # fmt: skip
    noise, scene = DDPM(tuple(torch.linspace(1e-4, 0.2, 20).tolist())), SunShadow()
    model = wrap(network, time=lambda t: t - 1)
    (model,) = train_denoisers([model], scene.sample(32, 1), noise, steps=2, batch=4, log_snr=(-4.0, 6.0)).denoisers
    times = grid(noise, 3, (-4.0, 6.0))
    features, sure = scene.read(sample(model, noise, times, pure_noise(noise, times, (3, 1, 16, 16))))
    assert features.shape == (3, 2)
    assert bool((sure <= 1).all())


def test_refusals():
    for wrong, said in (
        (lambda: MLPDenoiser(0, OU()), "`dimension` must be"),
        (lambda: MLPDenoiser(2, OU(), skip="all"), "`skip` must be one of"),
        (lambda: MLPDenoiser(2, OU(), data_std=0.0), "`data_std` must be"),
        (lambda: MLPDenoiser(3, OU())(torch.zeros(2, 2), 0.5), r"`x` must be points \(n, 3\), got \(2, 2\)"),
        (lambda: ConvDenoiser(1, OU())(torch.zeros(1, 1, 7, 8), 0.5), "`x` must be images"),
        (lambda: ConvDenoiser(1, OU())(torch.zeros(1, 3, 8, 8), 0.5), r"`x` must be images \(n, 1, height, width\)"),
        (lambda: DDPM((0.1, float("nan"))), "`betas` must be a number"),
        (lambda: wrap(torch.nn.Identity(), prediction="noise"), "`prediction` must be one of"),
        (lambda: from_diffusers(object()), "`pipeline` must be a scheduler with `betas`, got 'object'"),
    ):
        with pytest.raises(InputError, match=said):
            wrong()
    assert grid(OU(), 2, (-1.0, 1.0)).shape == (3,)
