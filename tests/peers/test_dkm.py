"""DKM beside coremltools' on one matrix: soft weights, centroids and gradients of a step from the same centroids at
the same settings, one and several iterations, and the hard weights that both would store."""
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import peer
from coremltools_dkm import Dkm

STEP = Path(peer.LATHE).parents[1] / "tests" / "peers" / "palette_step"
TAU = 1e-4
FLOOR = 1e-7  # coremltools' zero_threshold


def lathe_step(folder, tensors, iterations, tau=TAU):
    save_file(tensors, folder / "in.safetensors")
    subprocess.run([STEP, folder / "in.safetensors", folder / "out.safetensors", str(iterations), str(tau), str(FLOOR)],
                   check=True)
    return load_file(folder / "out.safetensors")


def matrix(shape, std=0.02):
    # Numbers that f16 has: Lathe tells weights apart by 16 bits.
    return (std * torch.randn(shape)).half().float()


def distance(a, b):
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("bits", [1, 3, 4])
def test_a_step_is_that_of_coremltools(tmp_path, bits, iterations):
    torch.manual_seed(bits)
    weight = matrix((256, 192))
    spread = torch.linspace(-0.05, 0.05, 2 ** bits) if bits > 1 else torch.tensor([-0.016, 0.016])
    centroids = spread.reshape(-1, 1).contiguous()
    upstream = torch.randn(weight.shape)
    peers = Dkm(bits=bits, iterations=iterations, tau=TAU, centroids=centroids)
    soft, gradient, moved = peers.step(weight, upstream)
    own = lathe_step(tmp_path, {"weight": weight, "centroids": centroids, "upstream": upstream}, iterations)
    scale = weight.abs().max()
    assert (own["centroids"] - moved).abs().max() / scale < 1e-4
    assert (own["soft"] - soft).abs().max() / scale < 1e-4
    assert distance(own["gradient"], gradient) < 1e-4
    assert distance(own["centroids"], centroids) > 1e-3, "the step moved nothing"


def test_hard_weights_are_the_nearest_centroids(tmp_path):
    torch.manual_seed(9)
    weight = matrix((128, 64))
    centroids = torch.linspace(-0.05, 0.05, 8).reshape(-1, 1).contiguous()
    own = lathe_step(tmp_path, {"weight": weight, "centroids": centroids, "upstream": torch.randn(weight.shape)}, 1)
    # Of the matrix after the step's centroids; coremltools rounds no table unless asked to.
    hard = Dkm(bits=3, iterations=1, tau=TAU, centroids=own["centroids"]).hard(weight)
    assert (own["hard"] - hard).abs().max() < 2 ** -11 * hard.abs().max()
    assert len(own["hard"].unique()) <= 8
