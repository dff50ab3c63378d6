// See compress_session.h.
#include "experiments/compress_session.h"

#include <algorithm>

#include "engine/compress/sensitivity.h"
#include "engine/lm/language_model.h"
#include "experiments/clock.h"

namespace lathe::experiments {
namespace {

// Reading the text is a small part of a look.
constexpr double kTextShare = 0.08;
constexpr double kFittedShare = 0.92;  // until the loss is asked what it minds
// Of calibration text, on which it is asked.
constexpr std::int64_t kWeighedTokens = 4096;

// Two operations for each weight of the slots that were not decomposed, and of the head.
double ops_beside(const ModelFile& file, const std::vector<SpectrumLayer>& layers) {
  double weights = static_cast<double>(file.config().vocab_size * file.config().dim);
  for (const LinearPlan& plan : file.plans()) {
    const bool covered = std::any_of(layers.begin(), layers.end(), [&](const SpectrumLayer& layer) {
      return layer.slot.name == plan.name;
    });
    weights += covered ? 0 : static_cast<double>(plan.in * plan.out);
  }
  return 2 * weights;
}

}  // namespace

CompressProgress part_of(const CompressProgress& whole, double from, double to) {
  return [whole, from, to](double share, const std::string& what) {
    return !whole || whole(from + (to - from) * share, what);
  };
}

Result<CompressSession> CompressSession::open(Backend& backend, const std::string& model) {
  const auto settled = settle_model({.from = model});
  if (!settled) {
    return settled.error();
  }
  auto base = open_base_model(*settled);
  if (!base) {
    return base.error();
  }
  if (const auto text = check_reads_text(base->file); !text) {
    return text.error();
  }
  return CompressSession(backend, model, std::move(*base), settled->from_hash);
}

Result<void> CompressSession::look(const CompressSpec& spec, const CompressProgress& progress) {
  if (looked_at_ && share_decomposition(*looked_at_, spec) &&
      (text_ != nullptr || !reads_text(spec))) {
    return {};
  }
  if (const Result<void> dense = spec.decompose ? check_is_dense(base_.file) : Result<void>();
      !dense) {
    return dense.error();
  }
  // Before the next one is made: two at once may be more than the memory holds.
  looked_at_.reset();
  decomposition_.reset();
  spectrum_.reset();
  dense_.reset();
  text_.reset();
  sequences_ = {};
  if (reads_text(spec)) {
    if (const Result<void> read = read_text(spec, progress); !read) {
      return read.error();
    }
  }
  const Stopwatch watch;
  if (spec.decompose) {
    auto decomposed = decompose(spec, sequences_, part_of(progress, kTextShare, 1));
    if (!decomposed) {
      return decomposed.error();
    }
    decomposition_ = std::move(*decomposed);
  }
  looked_at_ = spec;
  spectrum_ = std::make_shared<const ModelSpectrum>(spectrum_of(spec, watch.secs()));
  return {};
}

Result<void> CompressSession::read_text(const CompressSpec& spec,
                                        const CompressProgress& progress) {
  auto text = open_corpus(spec.data, calibration_length(spec.calibration, base_.file.config()),
                          base_.encoding, part_of(progress, 0, kTextShare));
  if (!text) {
    return text.error();
  }
  auto sequences = draw_sequences(**text, base_.file.config(), spec.calibration);
  if (!sequences) {
    return sequences.error();
  }
  text_ = std::move(*text);
  sequences_ = std::move(*sequences);
  return {};
}

Result<Decomposition> CompressSession::decompose(const CompressSpec& spec,
                                                 const CalibrationSequences& sequences,
                                                 const CompressProgress& progress) const {
  auto decomposed =
      Decomposition::of(*backend_, base_.file, sequences, solver_options(spec),
                        target_types(spec.target), part_of(progress, 0, kFittedShare));
  if (!decomposed || !spec.weigh) {
    return decomposed;
  }
  const auto importance = output_sensitivity(*backend_, base_.file, sequences, kWeighedTokens,
                                             part_of(progress, kFittedShare, 1));
  if (!importance) {
    return importance.error();
  }
  decomposed->set_importance(*importance);
  return decomposed;
}

ModelSpectrum CompressSession::spectrum_of(const CompressSpec& spec, double secs) const {
  ModelSpectrum all{.model = model_,
                    .spec = to_json(spec),
                    .layers = {},
                    .notes = {},
                    .blocks = base_.file.config().layers,
                    .params = base_.file.parameters(),
                    .weighed = spec.weigh,
                    .look_secs = secs};
  if (decomposition_) {
    all.notes = decomposition_->notes();
    for (const DecomposedLayer& layer : decomposition_->layers()) {
      all.layers.push_back({.slot = layer.slot,
                            .spectrum = layer.solution.spectrum(),
                            .adds_bias = layer.solution.has_bias() && !layer.slot.bias,
                            .importance = layer.importance});
    }
  }
  all.other_ops = ops_beside(base_.file, all.layers);
  return all;
}

Result<ModelFile> CompressSession::with_ranks(const CompressSpec& spec,
                                              const std::vector<RankVerdict>& ranks,
                                              const CompressProgress& progress) const {
  if (!spec.decompose) {
    return base_.file;
  }
  return spec.sequential
             ? decomposition_->sequentially(*backend_, sequences_, ranks, spec.ridge, progress)
             : decomposition_->with_ranks(ranks);
}

Result<StoredModel> CompressSession::stored(const ModelFile& model, const CompressSpec& spec,
                                            const CompressProgress& progress) const {
  const auto options = store_options(spec);
  return options ? store_slots(*backend_, model, sequences_, *options, target_types(spec.target),
                               progress)
                 : Result<StoredModel>(options.error());
}

Result<LoftqModel> CompressSession::with_adapters(const ModelFile& model, const CompressSpec& spec,
                                                  const CompressProgress& progress) const {
  const auto options = store_options(spec);
  if (!options) {
    return options.error();
  }
  return loftq_slots(model, options->type,
                     {.rank = spec.quant.loftq_rank, .rounds = spec.quant.loftq_rounds},
                     target_types(spec.target), progress);
}

Result<HeldoutLoss> CompressSession::loss(const ModelFile& model, const CompressSpec& spec,
                                          const CompressProgress& progress) const {
  return heldout_loss(*backend_, model, *text_,
                      calibration_length(spec.calibration, base_.file.config()),
                      spec.heldout_windows, progress);
}

Result<double> CompressSession::dense_perplexity(const CompressSpec& spec,
                                                 const CompressProgress& progress) {
  if (!dense_ || dense_windows_ != spec.heldout_windows) {
    const auto dense = loss(base_.file, spec, progress);
    if (!dense) {
      return dense.error();
    }
    dense_ = dense->perplexity;
    dense_windows_ = spec.heldout_windows;
  }
  return *dense_;
}

}  // namespace lathe::experiments
