// See stored_slots.h.
#include "engine/compress/stored_slots.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/compress/block_statistics.h"
#include "engine/compress/sensitivity.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr double kLookingShare = 0.6;   // of a block's time
constexpr double kWeighingShare = 0.8;  // of all, where weights are weighed
constexpr std::int64_t kWeighedTokens = 16384;

using Moments = std::array<std::optional<Matrix>, kBlockInputs>;

bool wanted(const LinearPlan& plan, std::span<const LayerType> types) {
  const auto type = layer_type(plan.name);
  return type && std::find(types.begin(), types.end(), *type) != types.end();
}

bool reads_inputs(const StoreOptions& options) {
  return options.rounding == RoundingRule::kGptq || spqr_bits(options.type) > 0;
}

}  // namespace

Result<void> check_fits(const std::string& name, const std::vector<std::int64_t>& shape,
                        StoredType type) {
  if (fits_type(type, shape[0], shape[1])) {
    return {};
  }
  const StoredTypeInfo info = info_of(type);
  if (shape[1] % info.block_elements == 0) {
    return Error{ErrorKind::kUsage,
                 name + " has " + std::to_string(shape[0]) + " rows of " +
                     std::to_string(shape[1]) + " elements; " + std::string(info.name) +
                     " takes rows in whole sixteens, of at most 65536",
                 "leave that layer out (target), make ranks multiples of 64 (multiple), or choose "
                 "another type"};
  }
  return Error{ErrorKind::kUsage,
               name + " has rows of " + std::to_string(shape[1]) +
                   " elements, which are not whole blocks of " +
                   std::to_string(info.block_elements) + " (" + std::string(info.name) + ")",
               palette_form(type).bits > 0
                   ? "choose another quant.palette_dim (1 takes rows of whole sixteens), leave "
                     "that layer out (target), or make ranks multiples of it (multiple)"
                   : "choose a group size that divides it, leave that layer out (target), or make "
                     "ranks multiples of the group (multiple)"};
}

namespace {

Result<void> check_blocks(const ModelFile& model, const StoreOptions& options,
                          std::span<const LayerType> types) {
  for (const LinearPlan& plan : model.plans()) {
    if (!wanted(plan, types)) {
      continue;
    }
    for (const std::string& name : matrices_of(plan)) {
      if (const Result<void> fits = check_fits(name, model.find(name)->shape, options.type);
          !fits) {
        return fits;
      }
      const Result<void> whole =
          palette_form(options.type).bits > 0
              ? check_palette_rows(model.find(name)->shape[0], options.palette)
              : Result<void>();
      if (!whole) {
        return Error{whole.error().kind, name + ": " + whole.error().message, whole.error().remedy};
      }
    }
    if (reads_inputs(options) && plan.between != Activation::kNone) {
      return Error{ErrorKind::kUsage,
                   plan.name +
                       " has a nonlinearity between its factors, behind which GPTQ and SpQR do "
                       "not see",
                   "round to nearest (quant.rounding=nearest, another quant.type than spqr)"};
    }
  }
  return {};
}

class Storing {
 public:
  Storing(Backend& backend, const ModelFile& model, const StoreOptions& options,
          std::span<const LayerType> types, const CompressProgress& progress)
      : backend_(backend), model_(model), options_(options), types_(types), progress_(progress) {}

  Result<StoredModel> weighed(const CalibrationSequences& sequences) {
    auto importances =
        weight_sensitivity(backend_, model_, sequences, types_, kWeighedTokens,
                           [&](double share, const std::string& what) {
                             return !progress_ || progress_(kWeighingShare * share, what);
                           });
    if (!importances) {
      return importances.error();
    }
    importances_ = std::move(*importances);
    begin_ = kWeighingShare;
    return nearest();
  }

  Result<StoredModel> nearest() {
    for (std::int64_t index = 0; index < model_.config().layers; ++index) {
      if (const Result<void> on = at(index, 0, "rounding"); !on) {
        return on.error();
      }
      if (const Result<void> rounded = round_block(index, {}); !rounded) {
        return rounded.error();
      }
    }
    return finished();
  }

  Result<StoredModel> on_text(const CalibrationSequences& sequences) {
    HiddenStates hidden(model_, sequences);
    for (std::int64_t index = 0; index < model_.config().layers; ++index) {
      const auto moments = look(index, hidden);
      if (!moments) {
        return moments.error();
      }
      if (const Result<void> rounded = round_block(index, *moments); !rounded) {
        return rounded.error();
      }
      Block block = load_block(backend_, ModelFile::with_stored(model_, of_block_), index);
      for (std::int64_t portion = 0; portion < hidden.portions(); ++portion) {
        hidden.pass(backend_, block, portion, {});
      }
    }
    return finished();
  }

 private:
  Result<void> at(std::int64_t block, double within, const std::string& what) const {
    const double done =
        (static_cast<double>(block) + within) / static_cast<double>(model_.config().layers);
    const double share = begin_ + (1 - begin_) * done;
    if (progress_ && !progress_(share, what + " layers." + std::to_string(block))) {
      return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
    }
    return {};
  }

  // E x x^T of the inputs that the block's wanted slots read.
  Result<Moments> look(std::int64_t index, const HiddenStates& hidden) {
    std::array<std::optional<InputStatistics>, kBlockInputs> statistics;
    for_slots(index, [&](std::size_t slot) {
      auto& input = statistics[input_of(model_, slot)];
      if (!input) {
        input.emplace(model_.plans()[slot].in);
      }
    });
    Block block = load_block(backend_, model_, index);
    BlockValues values;
    for (std::int64_t portion = 0; portion < hidden.portions(); ++portion) {
      const double done = static_cast<double>(portion) / static_cast<double>(hidden.portions());
      if (const Result<void> on = at(index, kLookingShare * done, "calibrating"); !on) {
        return on.error();
      }
      hidden.look(backend_, block, portion, copying_observer(backend_, values));
      for (std::size_t i = 0; i < kBlockInputs; ++i) {
        const Result<void> added = statistics[i] ? statistics[i]->add(values[i]) : Result<void>();
        if (!added) {
          return Error{added.error().kind,
                       "layers." + std::to_string(index) + ", inputs of " + input_name(i) + ": " +
                           added.error().message,
                       added.error().remedy};
        }
      }
    }
    Moments moments;
    for (std::size_t i = 0; i < kBlockInputs; ++i) {
      if (statistics[i]) {
        moments[i] = statistics[i]->second_moment();
      }
    }
    return moments;
  }

  template <typename Body>
  void for_slots(std::int64_t index, const Body& body) const {
    const std::int64_t per_block = model_.config().slots_per_block();
    for (std::int64_t i = index * per_block; i < (index + 1) * per_block; ++i) {
      const auto slot = static_cast<std::size_t>(i);
      if (wanted(model_.plans()[slot], types_)) {
        body(slot);
      }
    }
  }

  Result<void> round_block(std::int64_t index, const Moments& moments) {
    of_block_.clear();
    Result<void> all;
    for_slots(index, [&](std::size_t slot) {
      if (all) {
        all = round_slot(slot, moments[input_of(model_, slot)].value_or(Matrix()));
      }
    });
    stored_.insert(of_block_.begin(), of_block_.end());
    return all;
  }

  // `moment`: of the slot's input; empty where rounding is to nearest. Behind a first factor it is
  // that of what the rounded factor makes of it.
  Result<void> round_slot(std::size_t slot, Matrix moment) {
    for (const std::string& name : matrices_of(model_.plans()[slot])) {
      const ModelTensor& tensor = *model_.find(name);
      const std::int64_t out = tensor.shape[0];
      const std::int64_t in = tensor.shape[1];
      const std::vector<float> weight = model_.floats(name);
      const auto weighed = importances_.find(name);
      auto rounded = rounded_weight(
          weight, out, in, moment,
          weighed == importances_.end() ? std::span<const float>() : weighed->second);
      if (!rounded) {
        return Error{rounded.error().kind, name + ": " + rounded.error().message,
                     rounded.error().remedy};
      }
      layers_.push_back(
          {.name = name,
           .out = out,
           .in = in,
           .bytes = static_cast<std::int64_t>(rounded->stored.size()),
           .outliers = rounded->outliers,
           .error_share = rounded->energy > 0 ? rounded->error / rounded->energy : 0});
      of_block_[name] = {options_.type, std::move(rounded->stored)};
      if (!moment.empty() && model_.plans()[slot].storage == LinearStorage::kLowRank) {
        moment = behind(of_block_[name], moment, out, in);
      }
    }
    return {};
  }

  Result<RoundedWeight> rounded_weight(const std::vector<float>& weight, std::int64_t out,
                                       std::int64_t in, const Matrix& moment,
                                       std::span<const float> importances) const {
    if (palette_form(options_.type).bits > 0) {
      return round_palette(options_.type, weight, out, in, importances, options_.palette);
    }
    if (moment.empty()) {
      return round_nearest(options_.type, weight, out, in, moment);
    }
    return spqr_bits(options_.type) > 0
               ? round_spqr(options_.type, weight, out, in, moment, options_.spqr)
               : round_gptq(options_.type, weight, out, in, moment, options_.gptq);
  }

  // A M A^T of a stored A [out, in].
  static Matrix behind(const StoredValues& a, const Matrix& moment, std::int64_t out,
                       std::int64_t in) {
    std::vector<float> values(static_cast<std::size_t>(out * in));
    decode_matrix(stored_matrix(a.type, a.bytes.data(), out, in), values.data());
    const Matrix wide(values.begin(), values.end());
    return product_transposed(product(wide, moment, out, in, in), wide, out, out, in);
  }

  StoredModel finished() {
    return {ModelFile::with_stored(model_, std::move(stored_)), std::move(layers_)};
  }

  Backend& backend_;
  const ModelFile& model_;
  const StoreOptions& options_;
  std::span<const LayerType> types_;
  const CompressProgress& progress_;
  double begin_ = 0;                                       // the share that was done before
  std::map<std::string, std::vector<float>> importances_;  // of palettes, by matrix
  std::map<std::string, StoredValues> stored_, of_block_;
  std::vector<StoredLayer> layers_;
};

}  // namespace

Result<StoredModel> store_slots(Backend& backend, const ModelFile& model,
                                const CalibrationSequences& sequences, const StoreOptions& options,
                                std::span<const LayerType> types,
                                const CompressProgress& progress) {
  if (const Result<void> fits = check_blocks(model, options, types); !fits) {
    return fits.error();
  }
  const BlasThreads threads = BlasThreads::on_all_cores();
  Storing storing(backend, model, options, types, progress);
  if (palette_form(options.type).bits > 0 && options.weighting == ClusterWeighting::kFisher) {
    return storing.weighed(sequences);
  }
  return reads_inputs(options) ? storing.on_text(sequences) : storing.nearest();
}

}  // namespace lathe
