// Exports and their proof.
#include "engine/lm/model_export.h"

#include <algorithm>
#include <cmath>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/lm/export_files.h"
#include "engine/lm/export_weights.h"
#include "engine/lm/language_model.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kProbeTokens = 64;
constexpr std::uint64_t kProbeSeed = 1;
// Same weights, same kernels: only the order of sums inside a factored slot may differ.
constexpr double kTolerance = 1e-3;

Error cannot_hold(const std::string& what) {
  return {ErrorKind::kUsage, what, "choose another format or type"};
}

Result<void> check_request(const ModelFile& source, const std::vector<LinearPlan>& plans,
                           const ExportRequest& request) {
  const ModelConfig& model = source.config();
  const bool gguf = request.format == ModelFormat::kGguf;
  std::error_code failed;
  if (fs::exists(request.out, failed)) {
    return Error{ErrorKind::kUsage, request.out.string() + " exists already",
                 "name a file or folder that does not"};
  }
  if (!can_export(request.format, request.type)) {
    return cannot_hold("the type " + std::string(info_of(request.type).name) +
                       " is not written to " + std::string(model_format_name(request.format)));
  }
  if (model.norm != NormKind::kRms || !model.gated() || model.bias ||
      model.positions != PositionKind::kRope) {
    return cannot_hold("models of LLaMA's shape are exported, this one has another");
  }
  if (gguf && (model.window != 0 || model.rope_scaling == RopeScalingKind::kLlama3)) {
    return cannot_hold("a sliding window and llama3's rope scaling are not written to gguf");
  }
  for (const LinearPlan& plan : plans) {
    if (plan.storage == LinearStorage::kLowRank && plan.between != Activation::kNone) {
      return cannot_hold("the factors of " + plan.name +
                         " have an activation between them, so that no one matrix equals them");
    }
  }
  return {};
}

// Logits of the probe, [kProbeTokens, vocab].
std::vector<float> probe(Backend& backend, Transformer& transformer, const ModelConfig& model) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(kProbeTokens));
  if (model.context != 0) {
    ids.resize(static_cast<std::size_t>(std::min(kProbeTokens, model.context)));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint64_t drawn = xxh3(&i, sizeof i, kProbeSeed);
    ids[i] = static_cast<std::int32_t>(drawn % static_cast<std::uint64_t>(model.vocab_size));
  }
  const auto count = static_cast<std::int64_t>(ids.size());
  KvCache cache(backend, model, count);
  const Tensor input = workspace(backend, "probe", "ids", Shape{count}, DType::kI32);
  backend.write(input, ids.data(), input.ref().bytes());
  const Tensor out = workspace(backend, "probe", "logits", Shape{count, model.vocab_size});
  transformer.infer(input, cache, out);
  std::vector<float> logits(static_cast<std::size_t>(count * model.vocab_size));
  backend.read(out, logits.data(), out.ref().bytes());
  return logits;
}

// What a reader should get: the source's weights, rounded as the file rounds them.
std::vector<float> expected_logits(Backend& backend, const ModelFile& source,
                                   const std::vector<ExportWeight>& weights) {
  Transformer transformer(backend, source.config(), dense_plan(source.config()));
  const std::vector<Parameter*> parameters = transformer.parameters();
  CHECK(parameters.size() == weights.size(), "one weight per parameter");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(parameters[i]->name == weights[i].named.tensor.name, "weights are in one order");
    std::vector<float> values = dense_values(source, weights[i]);
    round_to_type(weights[i].type, values);
    backend.write(parameters[i]->weight, values.data(), parameters[i]->weight.ref().bytes());
  }
  return probe(backend, transformer, source.config());
}

std::vector<float> source_logits(Backend& backend, const ModelFile& source,
                                 const std::vector<LinearPlan>& plans) {
  Transformer transformer(backend, source.config(), plans);
  load_weights(backend, source, transformer);
  return probe(backend, transformer, source.config());
}

// Not finite where either is not, so that no comparison passes on NaN.
double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - b[i]);
    largest = difference <= largest ? largest : difference;
    if (!std::isfinite(difference)) {
      return HUGE_VAL;
    }
  }
  return largest;
}

double log_sum_exp(const float* row, std::size_t count) {
  const double top = *std::max_element(row, row + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += std::exp(row[i] - top);
  }
  return top + std::log(sum);
}

void compare(const std::vector<float>& before, const std::vector<float>& after, std::size_t vocab,
             ExportReport& report) {
  const std::size_t rows = before.size() / vocab;
  std::size_t agreed = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const float* p = before.data() + row * vocab;
    const float* q = after.data() + row * vocab;
    const double p_norm = log_sum_exp(p, vocab);
    const double q_norm = log_sum_exp(q, vocab);
    for (std::size_t i = 0; i < vocab; ++i) {
      const double log_p = p[i] - p_norm;
      report.mean_kl += std::exp(log_p) * (log_p - (q[i] - q_norm)) / static_cast<double>(rows);
    }
    agreed += std::max_element(p, p + vocab) - p == std::max_element(q, q + vocab) - q ? 1 : 0;
  }
  report.argmax_agreement = static_cast<double>(agreed) / static_cast<double>(rows);
  report.max_change = max_difference(before, after);
}

Result<void> verify(Backend& backend, const ModelFile& source, const std::vector<LinearPlan>& plans,
                    const std::vector<ExportWeight>& weights, const fs::path& written,
                    ExportReport& report) {
  std::vector<float> read_back;
  {
    auto reopened = LanguageModel::open(backend, written, WeightForm::kFloats);
    if (!reopened) {
      return Error{ErrorKind::kMismatch,
                   "what was written cannot be read: " + reopened.error().message,
                   "nothing was kept; please report it"};
    }
    read_back = probe(backend, reopened->transformer(), reopened->config());
  }
  const std::vector<float> expected = expected_logits(backend, source, weights);
  if (read_back.size() != expected.size()) {
    return Error{ErrorKind::kMismatch, "what was written is of another shape",
                 "nothing was kept; please report it"};
  }
  report.max_difference = max_difference(read_back, expected);
  if (!(report.max_difference <= kTolerance)) {
    return Error{ErrorKind::kMismatch,
                 "what was written computes other logits, by " +
                     std::to_string(report.max_difference) + " at most; the limit is 0.001",
                 "nothing was kept; check the disk and try again"};
  }
  compare(source_logits(backend, source, plans), read_back,
          static_cast<std::size_t>(source.config().vocab_size), report);
  return {};
}

}  // namespace

bool can_export(ModelFormat format, StoredType type) {
  if (format == ModelFormat::kHuggingFace) {
    return type == StoredType::kF32 || type == StoredType::kF16 || type == StoredType::kBf16;
  }
  return format == ModelFormat::kGguf && can_encode(type);
}

Result<ExportReport> export_model(Backend& backend, const ModelFile& source,
                                  const std::vector<LinearPlan>& plans,
                                  const ExportRequest& request) {
  const Result<void> possible = check_request(source, plans, request);
  if (!possible) {
    return possible.error();
  }
  const std::vector<ExportWeight> weights = export_weights(source, request);
  ExportReport report;
  for (const ExportWeight& weight : weights) {
    if (weight.merged) {
      report.merged_slots.push_back(weight.named.tensor.name);
    }
    if (!weight.fallback.empty()) {
      report.fallbacks.push_back(weight.fallback);
    }
  }
  fs::path partial = request.out;
  partial += ".partial";
  std::error_code failed;
  fs::remove_all(partial, failed);
  Result<void> done = write_model(source, weights, request, partial, report);
  if (done) {
    done = verify(backend, source, plans, weights, partial, report);
  }
  if (done && request.format == ModelFormat::kHuggingFace) {
    done = write_file_atomically(partial / "README.md", model_card(source, request, report));
  }
  if (done) {
    fs::rename(partial, request.out, failed);
    if (failed) {
      done =
          Error{ErrorKind::kDisk, "cannot name " + request.out.string() + ": " + failed.message(),
                "check the folder's permissions"};
    }
  }
  if (!done) {
    fs::remove_all(partial, failed);
    return done.error();
  }
  return report;
}

}  // namespace lathe
