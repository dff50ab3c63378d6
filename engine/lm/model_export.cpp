// Exports and their proof.
#include "engine/lm/model_export.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/io/factored_slots.h"
#include "engine/lm/export_files.h"
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

Result<void> check_factors(const ModelConfig& source, const std::vector<LinearPlan>& plans,
                           const Result<NameScheme>& scheme, const ExportRequest& request) {
  const bool keep = request.factors == Factors::kKeep;
  if (keep && request.format != ModelFormat::kHuggingFace) {
    return cannot_hold("gguf has no layers of two factors");
  }
  for (const LinearPlan& plan : plans) {
    if (plan.storage != LinearStorage::kLowRank) {
      continue;
    }
    if (!keep && plan.between != Activation::kNone) {
      return cannot_hold("the factors of " + plan.name +
                         " have an activation between them, so that no one matrix equals them");
    }
    if (!keep && plan.bias && source.window != 0 && source.gated()) {
      return cannot_hold("mistral's files have no biases, and the factors of " + plan.name +
                         " bring one (those of the solver whitened do not)");
    }
    if (keep && scheme && !stands_alone(*scheme, plan.name)) {
      return cannot_hold(
          "files of this architecture keep q, k and v as one matrix, so that the "
          "factors of " +
          plan.name + " alone have no place");
    }
  }
  return {};
}

// The names for the source's weights, where it can be written as asked at all.
Result<NameScheme> check_request(const ModelFile& source, const std::vector<LinearPlan>& plans,
                                 const ExportRequest& request) {
  std::error_code failed;
  if (fs::exists(request.out, failed)) {
    return Error{ErrorKind::kUsage, request.out.string() + " exists already",
                 "name a file or folder that does not"};
  }
  if (!can_export(request.format, request.type)) {
    return cannot_hold("the type " + std::string(info_of(request.type).name) +
                       " is not written to " + std::string(model_format_name(request.format)));
  }
  const auto scheme = export_scheme(source.config(), request.format);
  if (const Result<void> possible = check_factors(source.config(), plans, scheme, request);
      !possible) {
    return possible.error();
  }
  return scheme;
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
std::vector<float> expected_logits(Backend& backend, const ExportPlan& plan) {
  std::map<std::string, std::pair<StoredType, const ModelTensor*>> parts;
  for (const ExportTensor& tensor : plan.tensors) {
    const bool kept = kept_as_stored(plan.source, tensor) != nullptr;
    for (const ModelTensor& part : tensor.parts) {
      parts[part.name] = {kept ? StoredType::kF32 : tensor.type, &part};
    }
  }
  const ModelConfig& model = plan.model.config;
  Transformer transformer(backend, model, plan.model.slots);
  for (Parameter* parameter : transformer.parameters()) {
    const auto& [type, part] = parts.at(parameter->name);
    std::vector<float> values = dense_values(plan.source, *part);
    round_to_type(type, values);
    backend.write(parameter->weight, values.data(), parameter->weight.ref().bytes());
  }
  return probe(backend, transformer, model);
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

Result<void> tell(const ExportRequest& request, double share, const std::string& what) {
  if (request.progress && !request.progress(share, what)) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  return {};
}

Result<std::vector<float>> read_back(Backend& backend, const ExportPlan& plan,
                                     const fs::path& written) {
  auto reopened = LanguageModel::open(backend, written, WeightForm::kFloats);
  if (!reopened) {
    return Error{ErrorKind::kMismatch,
                 "what was written cannot be read: " + reopened.error().message,
                 "nothing was kept; please report it"};
  }
  const Result<void> proved = prove_tokenizer(plan.text, plan.request, *reopened);
  if (!proved) {
    return proved.error();
  }
  return probe(backend, reopened->transformer(), reopened->config());
}

Result<void> verify(Backend& backend, const ExportPlan& plan, const std::vector<LinearPlan>& slots,
                    const fs::path& written, ExportReport& report) {
  Result<void> goes_on = tell(plan.request, kWritingShare, "reading back");
  if (!goes_on) {
    return goes_on;
  }
  const auto got = read_back(backend, plan, written);
  if (!got) {
    return got.error();
  }
  goes_on = tell(plan.request, 0.7, "comparing logits");
  if (!goes_on) {
    return goes_on;
  }
  const std::vector<float> expected = expected_logits(backend, plan);
  if (got->size() != expected.size()) {
    return Error{ErrorKind::kMismatch, "what was written is of another shape",
                 "nothing was kept; please report it"};
  }
  report.max_difference = max_difference(*got, expected);
  if (!(report.max_difference <= kTolerance)) {
    return Error{ErrorKind::kMismatch,
                 "what was written computes other logits, by " +
                     std::to_string(report.max_difference) + " at most; the limit is 0.001",
                 "nothing was kept; check the disk and try again"};
  }
  goes_on = tell(plan.request, 0.85, "measuring what the type costs");
  if (!goes_on) {
    return goes_on;
  }
  compare(source_logits(backend, plan.source, slots), *got,
          static_cast<std::size_t>(plan.source.config().vocab_size), report);
  return {};
}

ExportReport begin_report(const ExportPlan& plan) {
  ExportReport report;
  report.source_hash = model_hash(plan.source);
  report.tokenizer = plan.text.fate;
  for (const ExportTensor& tensor : plan.tensors) {
    for (const ModelTensor& part : tensor.parts) {
      if (is_factored(plan.source, part.name)) {
        report.merged_slots.push_back(part.name);
      }
    }
    if (!tensor.fallback.empty()) {
      report.fallbacks.push_back(tensor.fallback);
    }
  }
  return report;
}

Result<void> write_and_prove(Backend& backend, const ExportPlan& plan,
                             const std::vector<LinearPlan>& slots, const fs::path& partial,
                             ExportReport& report) {
  const bool gguf = plan.request.format == ModelFormat::kGguf;
  Result<void> done =
      gguf ? write_gguf_file(plan, partial, report) : write_hf_folder(plan, partial, report);
  if (done) {
    done = verify(backend, plan, slots, partial, report);
  }
  if (done && !gguf) {
    done = write_file_atomically(partial / "README.md", model_card(plan, report));
  }
  return done;
}

}  // namespace

bool can_export(ModelFormat format, StoredType type) {
  if (format == ModelFormat::kHuggingFace) {
    return type == StoredType::kF32 || type == StoredType::kF16 || type == StoredType::kBf16;
  }
  return format == ModelFormat::kGguf && can_encode(type) && info_of(type).ggml_id != kNotOfGgml;
}

Result<ExportReport> export_model(Backend& backend, const ModelFile& source,
                                  const std::vector<LinearPlan>& plans,
                                  const ExportRequest& request) {
  const auto scheme = check_request(source, plans, request);
  if (!scheme) {
    return scheme.error();
  }
  const WrittenModel model = written_model(source.config(), plans, request.factors);
  const ExportPlan plan{.source = source,
                        .request = request,
                        .scheme = *scheme,
                        .model = model,
                        .tensors = export_tensors(source, model, *scheme, request),
                        .text = export_text(source, request)};
  ExportReport report = begin_report(plan);
  fs::path partial = request.out;
  partial += ".partial";
  std::error_code failed;
  fs::remove_all(partial, failed);
  Result<void> done = write_and_prove(backend, plan, plans, partial, report);
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
