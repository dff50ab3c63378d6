// One model that is being decomposed: the look at it is taken once and kept, and ranks, models of
// those ranks and their loss on held-out text are had of it again and again. `lathe compress` and
// the window work through it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compress/compress_spec.h"
#include "engine/compress/decomposition.h"
#include "engine/compress/heldout.h"
#include "engine/compress/loftq_slots.h"
#include "engine/compress/stored_slots.h"
#include "engine/data/token_source.h"
#include "experiments/base_model.h"
#include "experiments/spectrum.h"

namespace lathe::experiments {

// Not thread-safe. Throws OutOfMemory where it says it may.
class CompressSession {
 public:
  // `model`: a path, or the name of an installed model. kUsage, kData. The back end outlives the
  // session.
  static Result<CompressSession> open(Backend& backend, const std::string& model);

  const ModelFile& file() const { return base_.file; }
  std::string name() const { return base_.file.path().stem().string(); }
  const std::string& hash() const { return hash_; }
  Backend& backend() const { return *backend_; }

  // Reads the text and decomposes the model (where the spec does not say otherwise), unless the
  // former look serves this spec too. A look that fails or is
  // stopped leaves none. Errors as open_corpus(), draw_sequences() and Decomposition::of(); throws.
  Result<void> look(const CompressSpec& spec, const CompressProgress& progress);
  // Of the look that succeeded last; null without one. Of one that did not decompose it has no
  // layers.
  std::shared_ptr<const ModelSpectrum> spectrum() const { return spectrum_; }

  // The model of these ranks. Goes through it again where the spec is sequential; throws.
  // Precondition of this and what follows: look() succeeded.
  Result<ModelFile> with_ranks(const CompressSpec& spec, const std::vector<RankVerdict>& ranks,
                               const CompressProgress& progress) const;
  // `model` with its slots in the type of spec.quant. Precondition: that is not none. Errors as
  // store_slots(); throws.
  Result<StoredModel> stored(const ModelFile& model, const CompressSpec& spec,
                             const CompressProgress& progress) const;
  // The same with LoftQ's adapters beside its slots. Precondition: quant.loftq_rank > 0 as well.
  // Errors as loftq_slots().
  Result<LoftqModel> with_adapters(const ModelFile& model, const CompressSpec& spec,
                                   const CompressProgress& progress) const;
  // On the held-out part of the look's text, heldout_windows of the spec; errors as heldout_loss().
  Result<HeldoutLoss> loss(const ModelFile& model, const CompressSpec& spec,
                           const CompressProgress& progress) const;
  // Perplexity of the dense model, measured once for specs that measure alike.
  Result<double> dense_perplexity(const CompressSpec& spec, const CompressProgress& progress);

 private:
  CompressSession(Backend& backend, std::string model, BaseModel base, std::string hash)
      : backend_(&backend),
        model_(std::move(model)),
        base_(std::move(base)),
        hash_(std::move(hash)) {}
  Result<void> read_text(const CompressSpec& spec, const CompressProgress& progress);
  Result<Decomposition> decompose(const CompressSpec& spec, const CalibrationSequences& sequences,
                                  const CompressProgress& progress) const;
  ModelSpectrum spectrum_of(const CompressSpec& spec, double secs) const;

  Backend* backend_;
  std::string model_;
  BaseModel base_;
  std::string hash_;
  std::optional<CompressSpec> looked_at_;
  std::shared_ptr<const TokenSource> text_;
  CalibrationSequences sequences_;
  std::optional<Decomposition> decomposition_;
  std::shared_ptr<const ModelSpectrum> spectrum_;
  std::optional<double> dense_;  // perplexity
  std::int64_t dense_windows_ = 0;
};

// Part of a longer progress: its shares from `from` to `to`.
CompressProgress part_of(const CompressProgress& whole, double from, double to);

}  // namespace lathe::experiments
