// See fake_models.h.
#include "tests/ui/fake_models.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lathe::ui::testing {

namespace ex = lathe::experiments;

ex::ModelFacts some_model(const std::string& model) {
  return {.model = model,
          .path = "/models/" + model + ".gguf",
          .name = model,
          .format = "gguf q4_1",
          .architecture = "llama, 30 layers, width 576, 9 heads (3 kv)",
          .tokenizer = "byte-level BPE, 49152 tokens",
          .parameters = 134515008,
          .stored_bytes = 98'000'000,
          .context = 8192,
          .bits_per_weight = 5.83,
          .open_secs = 0.12,
          .has_chat_template = true};
}

std::shared_ptr<const ex::ModelSpectrum> some_spectrum(const std::string& model,
                                                       std::int64_t blocks) {
  constexpr std::int64_t kWidth = 64;
  constexpr std::int64_t kInner = 160;
  auto spectrum = std::make_shared<ex::ModelSpectrum>();
  spectrum->model = model;
  spectrum->spec = {{"solver", "affine"},
                    {"target", "all"},
                    {"calibration", {{"samples", 16}, {"seq_len", 64}}},
                    {"data", {{"path", "python-stdlib"}}}};
  spectrum->blocks = blocks;
  spectrum->look_secs = 12;
  const auto add = [&](std::int64_t block, const std::string& name, std::int64_t out,
                       std::int64_t in) {
    ex::SpectrumLayer layer;
    layer.slot.name = "layers." + std::to_string(block) + "." + name;
    layer.slot.out = out;
    layer.slot.in = in;
    const double decay = 0.9 - 0.3 * static_cast<double>(block) / static_cast<double>(blocks);
    double value = 100;
    for (std::int64_t i = 0; i < std::min(out, in); ++i, value *= decay) {
      layer.spectrum.values.push_back(value);
    }
    layer.spectrum.errors.assign(layer.spectrum.values.size() + 1, 0);
    for (std::size_t i = layer.spectrum.values.size(); i-- > 0;) {
      layer.spectrum.errors[i] = layer.spectrum.errors[i + 1] + layer.spectrum.values[i];
    }
    spectrum->params += out * in;
    spectrum->layers.push_back(std::move(layer));
  };
  for (std::int64_t block = 0; block < blocks; ++block) {
    add(block, "attention.q", kWidth, kWidth);
    add(block, "attention.k", kWidth / 4, kWidth);
    add(block, "attention.v", kWidth / 4, kWidth);
    add(block, "attention.o", kWidth, kWidth);
    add(block, "mlp.gate", kInner, kWidth);
    add(block, "mlp.up", kInner, kWidth);
    add(block, "mlp.down", kWidth, kInner);
  }
  spectrum->params += 1000;
  spectrum->other_ops = 2000;
  return spectrum;
}

namespace {

std::vector<ex::QuantOption> some_options() {
  std::vector<ex::QuantOption> options{{.name = "nf4",
                                        .type = "nf4",
                                        .bits = 0,
                                        .group = 0,
                                        .gptq = true,
                                        .block_elements = 64,
                                        .levels = {}}};
  for (int i = 0; i < 16; ++i) {
    options[0].levels.push_back(i / 7.5 - 1);
  }
  for (const std::int64_t group : {32, 64, 128}) {
    for (std::int64_t bits = 2; bits <= 8; ++bits) {
      ex::QuantOption option{.name = "int" + std::to_string(bits) + "_g" + std::to_string(group),
                             .type = "int",
                             .bits = bits,
                             .group = group,
                             .gptq = true,
                             .block_elements = group,
                             .levels = {}};
      const double steps = std::exp2(static_cast<double>(bits)) - 1;
      for (double level = 0; level <= steps; ++level) {
        option.levels.push_back(2 * level / steps - 1);
      }
      options.push_back(std::move(option));
    }
  }
  return options;
}

RoundStatistics some_rounding(const ex::QuantOption& option, std::int64_t weights, double share) {
  const auto levels = static_cast<std::int64_t>(option.levels.size());
  const auto bits = static_cast<std::int64_t>(std::log2(levels));
  RoundStatistics rounded{.bytes = weights * bits / 8 + weights / option.block_elements * 4,
                          .error_share = share / static_cast<double>(levels * levels),
                          .levels = {},
                          .positions = 0};
  for (std::int64_t i = 0; i < levels; ++i) {
    rounded.levels.push_back(weights / levels);
  }
  return rounded;
}

}  // namespace

std::shared_ptr<const ex::QuantProbe> some_probe(const std::string& model, std::int64_t blocks) {
  auto probe = std::make_shared<ex::QuantProbe>();
  probe->model = model;
  probe->spec = {{"decompose", false},
                 {"target", "all"},
                 {"quant", {{"type", "none"}, {"bits", 4}, {"group", 64}, {"rounding", "nearest"}}},
                 {"calibration", {{"samples", 128}, {"seq_len", 0}}},
                 {"data", {{"path", "python-stdlib"}}}};
  probe->options = some_options();
  probe->blocks = blocks;
  probe->other_bytes = 2000;
  probe->stored_bytes = 98'000'000;
  probe->secs = 4;
  const auto add = [&](std::int64_t block, const std::string& name, std::int64_t out,
                       std::int64_t in) {
    ex::QuantLayer layer;
    layer.slot = "layers." + std::to_string(block) + "." + name;
    layer.matrix = layer.slot + ".weight";
    layer.out = out;
    layer.in = in;
    layer.kept_bytes = static_cast<double>(2 * out * in);
    layer.statistics.outliers = block + 1;
    layer.statistics.largest_sigmas = 5 + static_cast<double>(block);
    std::vector<std::int64_t> bins;
    for (int bin = 0; bin < 64; ++bin) {
      const double place = (bin - 31.5) / 14;
      bins.push_back(static_cast<std::int64_t>(static_cast<double>(out * in) * 0.028 *
                                               std::exp(-place * place / 2)));
    }
    layer.statistics.positions.push_back(std::move(bins));
    for (const ex::QuantOption& option : probe->options) {
      auto& rounded = layer.statistics.types.emplace_back();
      if (in % option.block_elements == 0) {
        rounded = some_rounding(option, out * in, 1 + 0.1 * static_cast<double>(block));
      }
    }
    probe->params += out * in;
    probe->layers.push_back(std::move(layer));
  };
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (const char* name :
         {"attention.q", "attention.k", "attention.v", "attention.o", "mlp.gate", "mlp.up"}) {
      add(block, name, 64, 64);
    }
    add(block, "mlp.down", 64, 96);
  }
  return probe;
}

}  // namespace lathe::ui::testing
