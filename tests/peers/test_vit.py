"""ViTs both ways. A small random one that transformers made, on images of a few classes: the same loss
and accuracy in Lathe, which begins a run with it, as in transformers. And what Lathe trained from it,
beside adapters of each kind, as transformers reads its export."""
import json
import struct
import subprocess

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification

import peer

SIZE, CLASSES, TRAIN, HELD = 8, 5, 12, 30
SHAPE = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
             image_size=SIZE, patch_size=4, num_channels=1, num_labels=CLASSES)


def lathe(*words):
    done = subprocess.run([peer.LATHE, *map(str, words)], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evaluations(*words):
    """The metrics of a run's evaluations, the first of the model that it begins with, before any step;
    and the run."""
    events = [json.loads(line) for line in lathe(*words, "--json").splitlines()]
    found = [event for event in events if "eval/loss" in event.get("metrics", {})]
    return [event["metrics"] for event in found], found[0]["run"]


def write_idx(folder, part, images, labels):
    header = struct.pack(">4I", 0x0803, len(images), SIZE, SIZE)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    header = struct.pack(">2I", 0x0801, len(labels))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """The model, its folder, the set's folder, its held-out images and labels."""
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(3)
    model = ViTForImageClassification(ViTConfig(**SHAPE)).float().eval()
    for parameter in model.parameters():  # biases and gains too, which start at 0 and 1
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder / "model")
    draw = np.random.default_rng(5)
    (folder / "set").mkdir()
    parts = {}
    for part, count in (("train", TRAIN), ("t10k", HELD)):
        images = draw.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)
        labels = draw.integers(0, CLASSES, count, dtype=np.uint8)
        labels[0] = CLASSES - 1  # the greatest tells how many there are
        write_idx(folder / "set", part, images, labels)
        parts[part] = images, labels
    return model, folder, *parts["t10k"]


def measured(model, images, labels):
    """Loss and accuracy as transformers computes them."""
    pixels = torch.tensor(images / 255.0 - 0.5, dtype=torch.float32)[:, None] / 0.25
    with torch.inference_mode():
        logits = model(pixels).logits
    truth = torch.tensor(labels.astype(np.int64))
    loss = torch.nn.functional.cross_entropy(logits, truth).item()
    return loss, (logits.argmax(1) == truth).double().mean().item()


def run(folder, *words):
    (folder / "config.json").write_text('{"name": "vit"}')
    return evaluations("run", folder / "config.json", "data.kind=images", f"data.path={folder / 'set'}",
                       "data.pixel_mean=0.5", "data.pixel_std=0.25", f"model.from={folder / 'model'}",
                       "train.batch_size=4", "train.eval_batches=100", *words, "--store",
                       folder / "store")


def test_lathe_computes_the_same(vit):
    model, folder, images, labels = vit
    loss, accuracy = measured(model, images, labels)
    ours = run(folder, "train.steps=1", "train.eval_every=1")[0][0]
    assert abs(ours["eval/loss"] - loss) < 1e-5 * loss
    assert abs(ours["eval/acc"] - accuracy) < 1e-9


@pytest.mark.parametrize("method", [[], ["lora.rank=4", "lora.targets=all"], ["ssf.enabled=true"],
                                    ["hydra.rank=4", "hydra.targets=all"]])
def test_transformers_reads_what_was_trained(vit, method):
    _, folder, images, labels = vit
    ours, name = run(folder, "train.steps=8", "train.eval_every=8", "optim.lr=0.01",
                     "optim.warmup_steps=2", "train.checkpoint_every=8", *method)
    out = folder / ("out_" + "_".join(method).replace("=", ""))
    lathe("export", name, "--format", "hf", "--dtype", "f32", "-o", out, "--store", folder / "store")
    model = ViTForImageClassification.from_pretrained(out).float().eval()
    loss, accuracy = measured(model, images, labels)
    assert ours[-1]["eval/loss"] != ours[0]["eval/loss"]
    assert abs(ours[-1]["eval/loss"] - loss) < 1e-4 * loss
    assert abs(ours[-1]["eval/acc"] - accuracy) < 1e-9
    processor = json.loads((out / "preprocessor_config.json").read_text())
    assert processor["image_mean"] == [0.5] and processor["image_std"] == [0.25]
