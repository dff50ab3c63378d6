// See adapter_merge.h.
#include "engine/io/adapter_merge.h"

#include <algorithm>
#include <functional>

#include "engine/io/checkpoint_values.h"
#include "engine/io/factored_slots.h"

namespace lathe {
namespace {

// w [out, in] += s b a, each element summed in double.
void add_product(std::vector<float>& w, const StoredAdapter& adapter, std::int64_t in) {
  const auto rank = static_cast<std::size_t>(adapter.plan.rank);
  const auto cols = static_cast<std::size_t>(in);
  std::vector<double> row(cols);
  for (std::size_t i = 0; i < w.size() / cols; ++i) {
    std::copy_n(w.begin() + static_cast<std::ptrdiff_t>(i * cols), cols, row.begin());
    for (std::size_t k = 0; k < rank; ++k) {
      const double factor = adapter.plan.scale * static_cast<double>(adapter.b[i * rank + k]);
      for (std::size_t j = 0; j < cols; ++j) {
        row[j] += factor * static_cast<double>(adapter.a[k * cols + j]);
      }
    }
    std::transform(row.begin(), row.end(), w.begin() + static_cast<std::ptrdiff_t>(i * cols),
                   [](double value) { return static_cast<float>(value); });
  }
}

// Columns of b [out, rank], then those of the adapter's, scaled.
std::vector<float> beside(const std::vector<float>& b, std::int64_t out,
                          const StoredAdapter& adapter) {
  const auto rows = static_cast<std::size_t>(out);
  const std::size_t own = b.size() / rows;
  const std::size_t added = adapter.b.size() / rows;
  std::vector<float> wide;
  for (std::size_t i = 0; i < rows; ++i) {
    wide.insert(wide.end(), b.begin() + static_cast<std::ptrdiff_t>(i * own),
                b.begin() + static_cast<std::ptrdiff_t>((i + 1) * own));
    for (std::size_t k = 0; k < added; ++k) {
      wide.push_back(
          static_cast<float>(adapter.plan.scale * static_cast<double>(adapter.b[i * added + k])));
    }
  }
  return wide;
}

// rows [out, cols] += s b a rows, of Hydra's output branch; each element summed in double.
void add_output(std::vector<float>& rows, const StoredAdapter& adapter, std::int64_t out) {
  const auto rank = static_cast<std::size_t>(adapter.plan.output_rank);
  const auto height = static_cast<std::size_t>(out);
  const std::size_t cols = rows.size() / height;
  std::vector<double> inner(rank * cols);
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t i = 0; i < height; ++i) {
      const double factor = adapter.output_a[k * height + i];
      for (std::size_t j = 0; j < cols; ++j) {
        inner[k * cols + j] += factor * static_cast<double>(rows[i * cols + j]);
      }
    }
  }
  for (std::size_t i = 0; i < height; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      double sum = rows[i * cols + j];
      for (std::size_t k = 0; k < rank; ++k) {
        sum += adapter.plan.scale * static_cast<double>(adapter.output_b[i * rank + k]) *
               inner[k * cols + j];
      }
      rows[i * cols + j] = static_cast<float>(sum);
    }
  }
}

// rows [out, cols] times gamma, row by row.
void scale_rows(std::vector<float>& rows, const std::vector<float>& gamma) {
  const std::size_t cols = rows.size() / gamma.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] *= gamma[i / cols];
  }
}

// The matrix behind which y0 stands, and the bias where the slot has one: what Hydra's output
// branch or SSF makes of them.
void change_output(const ModelFile& model, const StoredAdapter& adapter, const LinearPlan& plan,
                   std::map<std::string, std::vector<float>>& values) {
  const std::string matrix = plan.name + (plan.storage == LinearStorage::kDense ? ".weight" : ".b");
  const std::string bias = plan.name + ".bias";
  const bool shifts = adapter.plan.scale_shift;
  if (!shifts && adapter.plan.output_rank == 0) {
    return;
  }
  std::vector<float> own = model.find(bias) != nullptr
                               ? model.floats(bias)
                               : std::vector<float>(static_cast<std::size_t>(plan.out));
  std::vector<float> rows = model.floats(matrix);
  if (shifts) {
    scale_rows(rows, adapter.gamma);
    scale_rows(own, adapter.gamma);
    std::transform(own.begin(), own.end(), adapter.beta.begin(), own.begin(), std::plus<>());
  } else {
    add_output(rows, adapter, plan.out);
    add_output(own, adapter, plan.out);
  }
  values[matrix] = std::move(rows);
  if (shifts || plan.bias) {
    values[bias] = std::move(own);
  }
}

// A model without biases gets them all, zero where none is given: files know no other way.
void add_biases(const ModelFile& model, std::vector<LinearPlan>& plans, ModelConfig& config,
                std::map<std::string, std::vector<float>>& values) {
  config.bias = true;
  for (LinearPlan& plan : plans) {
    plan.bias = true;
  }
  for (const NamedWeight& weight : slot_weights(config, NameScheme::kHfLlama, plans)) {
    const std::string& name = weight.tensor.name;
    if (name.ends_with(".bias") && model.find(name) == nullptr) {
      values.try_emplace(name, static_cast<std::size_t>(weight.tensor.elements()));
    }
  }
}

}  // namespace

std::size_t tensors_of(const AdapterPlan& plan) {
  return (plan.rank > 0 ? 2u : 0u) + (plan.output_rank > 0 ? 2u : 0u) +
         (plan.scale_shift ? 2u : 0u);
}

std::vector<LinearPlan> without_adapters(std::vector<LinearPlan> plans) {
  for (LinearPlan& plan : plans) {
    plan.adapter = {};
    plan.subtokens = {};
  }
  return plans;
}

Result<std::vector<StoredAdapter>> read_adapters(const SafetensorsFile& file,
                                                 const std::filesystem::path& folder,
                                                 const std::vector<LinearPlan>& plans) {
  std::vector<StoredAdapter> adapters;
  for (const LinearPlan& plan : plans) {
    if (!plan.adapter.any()) {
      continue;
    }
    StoredAdapter& adapter = adapters.emplace_back(
        StoredAdapter{.slot = plan.name, .plan = plan.adapter, .a = {}, .b = {}});
    Result<void> read;
    const auto take = [&](const std::string& leaf, const std::vector<std::int64_t>& shape,
                          std::vector<float>& values) {
      auto floats = checkpoint_floats(file, folder, plan.name + leaf, shape);
      if (!floats) {
        read = floats.error();
      } else {
        values = std::move(*floats);
      }
    };
    const std::int64_t rank = plan.adapter.rank;
    const std::int64_t output_rank = plan.adapter.output_rank;
    if (rank > 0) {
      take(".lora_a", {rank, plan.in}, adapter.a);
      take(".lora_b", {plan.out, rank}, adapter.b);
    }
    if (output_rank > 0) {
      take(".output.lora_a", {output_rank, plan.out}, adapter.output_a);
      take(".output.lora_b", {plan.out, output_rank}, adapter.output_b);
    }
    if (plan.adapter.scale_shift) {
      take(".ssf_gamma", {plan.out}, adapter.gamma);
      take(".ssf_beta", {plan.out}, adapter.beta);
    }
    if (!read) {
      return read.error();
    }
  }
  return adapters;
}

Result<std::map<std::string, std::vector<float>>> merged_values(
    const ModelFile& model, const std::vector<StoredAdapter>& adapters,
    std::vector<LinearPlan>& plans, ModelConfig& config) {
  std::map<std::string, std::vector<float>> values;
  bool shifts = false;
  for (const StoredAdapter& adapter : adapters) {
    LinearPlan& plan = *std::find_if(plans.begin(), plans.end(), [&](const LinearPlan& known) {
      return known.name == adapter.slot;
    });
    plan.bias = plan.bias || adapter.plan.scale_shift;
    shifts = shifts || adapter.plan.scale_shift;
    change_output(model, adapter, plan, values);
    if (adapter.plan.rank == 0) {
      continue;
    }
    const auto now = [&](const std::string& name) -> std::vector<float>& {
      const auto [place, is_new] = values.try_emplace(name);
      if (is_new) {
        place->second = model.floats(name);
      }
      return place->second;
    };
    if (plan.storage == LinearStorage::kDense) {
      add_product(now(plan.name + ".weight"), adapter, plan.in);
      continue;
    }
    if (plan.between != Activation::kNone) {
      return Error{ErrorKind::kUsage,
                   plan.name +
                       " is two factors with an activation between them, which its adapter "
                       "cannot become a part of",
                   "no file format holds both; train the factors themselves, without method.lora"};
    }
    std::vector<float>& a = now(plan.name + ".a");
    a.insert(a.end(), adapter.a.begin(), adapter.a.end());
    std::vector<float>& b = now(plan.name + ".b");
    b = beside(b, plan.out, adapter);
    plan.rank += adapter.plan.rank;
  }
  if (shifts && !config.bias) {
    add_biases(model, plans, config, values);
  }
  return values;
}

}  // namespace lathe
