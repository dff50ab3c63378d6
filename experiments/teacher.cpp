// See teacher.h.
#include "experiments/teacher.h"

#include <fmt/core.h>

#include "engine/lm/language_model.h"
#include "experiments/base_model.h"
#include "experiments/known_models.h"

namespace lathe::experiments {
namespace {

NamedModel named(const DistillConfig& distill) {
  return {"distill", distill.from, distill.from_hash};
}

// Tokenizers of equal tokens may still part words differently; this has what they differ in.
constexpr std::string_view kProbe =
    "The year 1984,  don't \t\n\n  def f(x):\n    return x**2 # na\u00efve \u4e2d\u6587 "
    "\U0001F600 AbcDEF_ghi 12345.678e-9 <|endoftext|>";

// What differs first; empty for tokenizers that read alike.
std::string difference(const TextTokenizer& teacher, const TextTokenizer& own) {
  if (teacher.vocab_size() != own.vocab_size()) {
    return fmt::format("has {} tokens, the model's {}", teacher.vocab_size(), own.vocab_size());
  }
  for (std::int64_t i = 0; i < own.vocab_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (teacher.token_bytes(id) != own.token_bytes(id)) {
      return fmt::format("calls \"{}\" what the model's calls \"{}\", token {}",
                         teacher.token_bytes(id), own.token_bytes(id), id);
    }
  }
  return teacher.encode(kProbe) == own.encode(kProbe) ? "" : "parts texts into other tokens";
}

}  // namespace

Result<DistillConfig> settle_teacher(const DistillConfig& distill) {
  if (distill.from.empty()) {
    return distill;
  }
  const auto known = known_model(named(distill));
  if (!known) {
    return known.error();
  }
  DistillConfig settled = distill;
  settled.from = lasting_name(distill.from);
  settled.from_hash = known->hash;
  return settled;
}

Result<std::shared_ptr<const GivenModel>> open_teacher(const TrainSpec& spec) {
  if (spec.distill.from.empty()) {
    return std::shared_ptr<const GivenModel>();
  }
  if (spec.model.from.empty()) {
    return Error{ErrorKind::kUsage,
                 "distill.from=" + spec.distill.from +
                     " reads text by its own tokenizer, and this run makes one from its corpus",
                 "set model.from to a model of the teacher's tokenizer, or leave distill.from "
                 "empty"};
  }
  const auto known = known_model(named(spec.distill));
  if (!known) {
    return known.error();
  }
  return given_model(known->file);
}

Result<void> check_teacher_text(const DistillConfig& distill, const ModelEncoding& own) {
  const auto known = known_model(named(distill));
  if (!known) {
    return known.error();
  }
  const ModelText text = read_model_text(*known->file);
  if (text.tokenizer == nullptr) {
    return Error{ErrorKind::kData,
                 "distill.from=" + distill.from + " has no tokenizer: " + text.problem,
                 "put the teacher's tokenizer.json beside it"};
  }
  if (text.digest == own.digest) {
    return {};
  }
  const std::string other = difference(*text.tokenizer, *own.tokenizer);
  if (other.empty()) {
    return {};
  }
  return Error{ErrorKind::kUsage, "the tokenizer of distill.from=" + distill.from + " " + other,
               "distil from a model of the same tokenizer, usually the dense one that was "
               "decomposed"};
}

Result<void> settle_models(TrainSpec& spec) {
  auto model = settle_model(spec.model);
  if (!model) {
    return model.error();
  }
  auto distill = settle_teacher(spec.distill);
  if (!distill) {
    return distill.error();
  }
  spec.model = std::move(*model);
  spec.distill = std::move(*distill);
  return {};
}

}  // namespace lathe::experiments
