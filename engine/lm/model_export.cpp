// Exports and their proof.
#include "engine/lm/model_export.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "engine/base/atomic_file.h"
#include "engine/io/factored_slots.h"
#include "engine/lm/export_files.h"
#include "engine/lm/language_model.h"
#include "engine/lm/logit_probe.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

Error cannot_hold(const std::string& what) {
  return {ErrorKind::kUsage, what, "choose another format or type"};
}

Result<void> check_factors(const ModelConfig& source, const std::vector<LinearPlan>& plans,
                           const Result<NameScheme>& scheme, const ExportRequest& request) {
  const bool keep = request.factors == Factors::kKeep;
  if (keep && request.format != ModelFormat::kHuggingFace) {
    return cannot_hold("gguf has no layers of two factors");
  }
  if (keep && source.images()) {
    return Error{ErrorKind::kUsage, "factors are kept in files of models of text alone",
                 "leave --keep-factors away: they are multiplied out"};
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

// What encoding matrices of our types anew makes them lose.
class Losses {
 public:
  void add(const ModelTensor& stored, StoredType to, const std::vector<float>& before,
           const std::vector<float>& after) {
    double energy = 0, error = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      energy += double{before[i]} * double{before[i]};
      error += std::pow(double{before[i]} - double{after[i]}, 2);
    }
    Sums& sums = of_[{stored.stored.type, to}];
    sums.energy += energy;
    sums.error += error;
    ++sums.told.matrices;
    if (const double lost = energy > 0 ? std::sqrt(error / energy) : 0;
        sums.told.where.empty() || lost > sums.told.largest) {
      sums.told.largest = lost;
      sums.told.where = stored.name;
    }
  }

  std::vector<Reencoded> told() const {
    std::vector<Reencoded> all;
    for (const auto& [types, sums] : of_) {
      Reencoded& one = all.emplace_back(sums.told);
      one.from = info_of(types.first).name;
      one.to = info_of(types.second).name;
      one.error = sums.energy > 0 ? std::sqrt(sums.error / sums.energy) : 0;
    }
    return all;
  }

 private:
  struct Sums {
    double energy = 0, error = 0;
    Reencoded told;
  };
  std::map<std::pair<StoredType, StoredType>, Sums> of_;
};

// What a reader should get: the source's weights, rounded as the file rounds them.
std::vector<float> expected_logits(Backend& backend, const ExportPlan& plan, ExportReport& report) {
  Losses losses;
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
    const ModelTensor* const stored = plan.source.find(part->name);
    const bool anew = stored != nullptr && is_ours(stored->stored.type) && type != StoredType::kF32;
    const std::vector<float> before = anew ? values : std::vector<float>();
    round_to_type(type, values);
    if (anew) {
      losses.add(*stored, type, before, values);
    }
    backend.write(parameter->weight, values.data(), parameter->weight.ref().bytes());
  }
  report.reencoded = losses.told();
  return probe_logits(backend, transformer, model);
}

Result<void> tell(const ExportRequest& request, double share, const std::string& what) {
  if (request.progress && !request.progress(share, what)) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  return {};
}

Error unreadable(const Error& why) {
  return {ErrorKind::kMismatch, "what was written cannot be read: " + why.message,
          "nothing was kept; please report it"};
}

Result<std::vector<float>> read_back(Backend& backend, const ExportPlan& plan,
                                     const fs::path& written) {
  if (plan.model.config.images()) {
    const auto file = ModelFile::open(written);
    return file ? Result<std::vector<float>>(file_logits(backend, *file, file->plans()))
                : unreadable(file.error());
  }
  auto reopened = LanguageModel::open(backend, written, WeightForm::kFloats);
  if (!reopened) {
    return unreadable(reopened.error());
  }
  const Result<void> proved = prove_tokenizer(plan.text, plan.request, *reopened);
  if (!proved) {
    return proved.error();
  }
  return probe_logits(backend, reopened->transformer(), reopened->config());
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
  const std::vector<float> expected = expected_logits(backend, plan, report);
  if (got->size() != expected.size()) {
    return Error{ErrorKind::kMismatch, "what was written is of another shape",
                 "nothing was kept; please report it"};
  }
  report.max_difference = max_difference(*got, expected);
  if (!(report.max_difference <= kProbeTolerance)) {
    return Error{ErrorKind::kMismatch,
                 "what was written computes other logits, by " +
                     std::to_string(report.max_difference) + " at most; the limit is 0.001",
                 "nothing was kept; check the disk and try again"};
  }
  goes_on = tell(plan.request, 0.85, "measuring what the type costs");
  if (!goes_on) {
    return goes_on;
  }
  compare_logits(file_logits(backend, plan.source, slots), *got, plan.source.config().vocab_size,
                 report);
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

std::string reencoded_text(const Reencoded& types) {
  const auto percent = [](double share) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g %%", 100 * share);
    return std::string(text.data());
  };
  std::string text = std::to_string(types.matrices) + " matrices from ";
  text.append(types.from).append(" to ").append(types.to).append(": off by ");
  text.append(percent(types.error)).append(" of their size, ").append(types.where);
  return text.append(" most, by ").append(percent(types.largest));
}

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
