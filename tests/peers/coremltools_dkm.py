"""coremltools' DKM of one matrix, from given centroids: those it finds itself, by k-means++, take minutes."""
import logging

import torch

logging.disable(logging.WARNING)  # it warns of parts that are of other systems

from coremltools.optimize.torch.palettization import DKMPalettizer, DKMPalettizerConfig  # noqa: E402


class Dkm:
    def __init__(self, bits, iterations, tau, centroids):
        self.config = DKMPalettizerConfig.from_dict({"global_config": {
            "n_bits": bits, "cluster_dim": 1, "weight_threshold": 0, "kmeans_max_iter": iterations,
            "palett_tau": tau, "palett_epsilon": 0.0, "prune_threshold": 0.0, "granularity": "per_tensor"}})
        self.centroids = centroids

    def palettizer(self, weight):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        model = torch.nn.Sequential(layer)
        palettizer = DKMPalettizer(model, self.config)
        model = palettizer.prepare()
        palettizer.step()
        fake = model[0].weight_fake_quant
        fake.create_partitions(weight)
        fake.centroids[0] = self.centroids.clone()
        return fake

    def step(self, weight, upstream):
        """Soft weights, the gradient of the weight, the centroids after the step."""
        fake = self.palettizer(weight)
        leaf = weight.clone().requires_grad_()
        soft = fake(leaf)
        (soft * upstream).sum().backward()
        return soft.detach(), leaf.grad, fake.centroids[0].detach()

    def hard(self, weight):
        fake = self.palettizer(weight)
        fake.eval()
        with torch.no_grad():
            return fake(weight).detach()
