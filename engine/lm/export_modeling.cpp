// The modelling file of folders with factored slots: transformers' own model, with those of its
// linear layers replaced that config.json lists.
#include "engine/lm/export_files.h"

namespace lathe {
namespace {

struct Base {
  const char* config;
  const char* model;
};

Base base_of(NameScheme scheme, const ModelConfig& model) {
  if (scheme == NameScheme::kHfGpt2) {
    return {"GPT2Config", "GPT2LMHeadModel"};
  }
  if (scheme == NameScheme::kHfBigCode) {
    return {"GPTBigCodeConfig", "GPTBigCodeForCausalLM"};
  }
  return model.window != 0 ? Base{"MistralConfig", "MistralForCausalLM"}
                           : Base{"LlamaConfig", "LlamaForCausalLM"};
}

constexpr const char* kSource =
    R"py("""Layers of two factors, y = B f(A x) + b, in place of those that config.factored_slots names."""
from torch import nn
from transformers import @CONFIG@, @MODEL@
from transformers.activations import ACT2FN


class LatheFactoredConfig(@CONFIG@):
    model_type = "lathe_factored_" + @CONFIG@.model_type


class FactoredLinear(nn.Module):
    def __init__(self, inputs, outputs, rank, bias, between="none"):
        super().__init__()
        self.a = nn.Linear(inputs, rank, bias=False)
        self.b = nn.Linear(rank, outputs, bias=bias)
        self.between = nn.Identity() if between == "none" else ACT2FN[between]

    def forward(self, x):
        return self.b(self.between(self.a(x)))


def _widths(layer):
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return tuple(layer.weight.shape)  # GPT-2's Conv1D keeps [inputs, outputs]


class LatheFactored@MODEL@(@MODEL@):
    config_class = LatheFactoredConfig

    def __init__(self, config):
        super().__init__(config)
        for path, slot in config.factored_slots.items():
            parent_path, _, leaf = path.rpartition(".")
            parent = self.get_submodule(parent_path)
            setattr(parent, leaf, FactoredLinear(*_widths(getattr(parent, leaf)), **slot))
        self.post_init()
)py";

}  // namespace

std::string modeling_source(NameScheme scheme, const ModelConfig& model) {
  const Base base = base_of(scheme, model);
  std::string text = kSource;
  for (const auto& [mark, name] :
       {std::pair{"@CONFIG@", base.config}, std::pair{"@MODEL@", base.model}}) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, std::string_view(mark).size(), name);
    }
  }
  return text;
}

}  // namespace lathe
