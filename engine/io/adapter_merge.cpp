// See adapter_merge.h.
#include "engine/io/adapter_merge.h"

#include <algorithm>
#include <cstring>

namespace lathe {
namespace {

Result<std::vector<float>> floats_of(const SafetensorsFile& file,
                                     const std::filesystem::path& folder, const std::string& name,
                                     const std::vector<std::int64_t>& shape) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr || entry->dtype != "F32" || entry->shape != shape) {
    return Error{ErrorKind::kData, folder.string() + ": there is no " + name + " of its shape",
                 "the checkpoint is damaged or of another run; take another one"};
  }
  const std::span<const std::byte> bytes = file.bytes(*entry);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

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

}  // namespace

std::vector<LinearPlan> without_adapters(std::vector<LinearPlan> plans) {
  for (LinearPlan& plan : plans) {
    plan.adapter = {};
  }
  return plans;
}

Result<std::vector<StoredAdapter>> read_adapters(const SafetensorsFile& file,
                                                 const std::filesystem::path& folder,
                                                 const std::vector<LinearPlan>& plans) {
  std::vector<StoredAdapter> adapters;
  for (const LinearPlan& plan : plans) {
    if (plan.adapter.rank == 0) {
      continue;
    }
    auto a = floats_of(file, folder, plan.name + ".lora_a", {plan.adapter.rank, plan.in});
    auto b = floats_of(file, folder, plan.name + ".lora_b", {plan.out, plan.adapter.rank});
    if (!a || !b) {
      return a ? b.error() : a.error();
    }
    adapters.push_back(
        {.slot = plan.name, .plan = plan.adapter, .a = std::move(*a), .b = std::move(*b)});
  }
  return adapters;
}

Result<std::map<std::string, std::vector<float>>> merged_values(
    const ModelFile& model, const std::vector<StoredAdapter>& adapters,
    std::vector<LinearPlan>& plans) {
  std::map<std::string, std::vector<float>> values;
  for (const StoredAdapter& adapter : adapters) {
    LinearPlan& plan = *std::find_if(plans.begin(), plans.end(), [&](const LinearPlan& known) {
      return known.name == adapter.slot;
    });
    if (plan.storage == LinearStorage::kDense) {
      std::vector<float>& w = values[plan.name + ".weight"];
      w = model.floats(plan.name + ".weight");
      add_product(w, adapter, plan.in);
      continue;
    }
    if (plan.between != Activation::kNone) {
      return Error{ErrorKind::kUsage,
                   plan.name +
                       " is two factors with an activation between them, which its adapter "
                       "cannot become a part of",
                   "no file format holds both; train the factors themselves, without method.lora"};
    }
    std::vector<float>& a = values[plan.name + ".a"];
    a = model.floats(plan.name + ".a");
    a.insert(a.end(), adapter.a.begin(), adapter.a.end());
    values[plan.name + ".b"] = beside(model.floats(plan.name + ".b"), plan.out, adapter);
    plan.rank += adapter.plan.rank;
  }
  return values;
}

}  // namespace lathe
