// Adapters alone, and their proof.
#include "engine/lm/adapter_export.h"

#include "engine/base/atomic_file.h"
#include "engine/io/peft_adapter.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/export_files.h"
#include "engine/lm/language_model.h"
#include "engine/lm/logit_probe.h"
#include "engine/lm/rounded_base.h"
#include "engine/nn/adapter.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMerged = "use the merged model: lathe export RUN --format hf";

// [B, -B_0] [A; A_0].
void take_away(const FactorPair& start, StoredAdapter& slot) {
  const auto rank = static_cast<std::size_t>(slot.plan.rank);
  std::vector<float> wide;
  wide.reserve(2 * slot.b.size());
  for (std::size_t row = 0; row < slot.b.size() / rank; ++row) {
    for (std::size_t k = 0; k < rank; ++k) {
      wide.push_back(slot.b[row * rank + k]);
    }
    for (std::size_t k = 0; k < rank; ++k) {
      wide.push_back(-start.b[row * rank + k]);
    }
  }
  slot.b = std::move(wide);
  slot.a.insert(slot.a.end(), start.a.begin(), start.a.end());
  slot.plan.rank *= 2;
}

Result<void> tell(const AdapterExport& request, double share, const std::string& what) {
  if (request.progress && !request.progress(share, what)) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  return {};
}

// The model that the folder is: beside the base as the run had it.
Result<ModelFile> read_back(const AdapterExport& request, const fs::path& written) {
  if (!request.rounded_to) {
    return open_model_at(written);
  }
  const auto config = read_peft_config(written);
  if (!config) {
    return config.error();
  }
  const auto adapter = read_peft_adapter(written, *config, request.base);
  return adapter ? ModelFile::with_adapters(rounded_base(request.base, *request.rounded_to),
                                            adapter->slots)
                 : adapter.error();
}

Result<void> verify(Backend& backend, const AdapterExport& request, const fs::path& written,
                    ExportReport& report) {
  if (const Result<void> goes_on = tell(request, 0.2, "reading back"); !goes_on) {
    return goes_on;
  }
  const auto reopened = read_back(request, written);
  if (!reopened) {
    return Error{ErrorKind::kMismatch,
                 "what was written cannot be read: " + reopened.error().message,
                 "nothing was kept; " + reopened.error().remedy};
  }
  const std::vector<float> got = file_logits(backend, *reopened, reopened->plans());
  if (const Result<void> goes_on = tell(request, 0.6, "comparing logits"); !goes_on) {
    return goes_on;
  }
  const ModelFile& merged = request.merged;
  compare_logits(file_logits(backend, merged, merged.plans()), got, merged.config().vocab_size,
                 report);
  report.max_difference = report.max_change;
  if (!(report.max_difference <= kProbeTolerance)) {
    return Error{ErrorKind::kMismatch,
                 "the adapter beside its base computes other logits than the run, by " +
                     std::to_string(report.max_difference) + " at most; the limit is 0.001",
                 std::string("nothing was kept; ") + kMerged};
  }
  return {};
}

Result<void> write_and_prove(Backend& backend, const AdapterExport& request,
                             const std::vector<StoredAdapter>& slots, const fs::path& partial,
                             ExportReport& report) {
  const auto bytes = write_peft_adapter(partial, request.base, slots,
                                        {.base = request.base_name,
                                         .base_hash = report.source_hash,
                                         .dropout = slots.front().plan.dropout});
  if (!bytes) {
    return bytes.error();
  }
  report.bytes = *bytes;
  Result<void> done = verify(backend, request, partial, report);
  return done ? write_file_atomically(partial / "README.md",
                                      adapter_card(request, slots.front().plan, report))
              : done;
}

}  // namespace

Result<std::vector<StoredAdapter>> beside_base(const ModelFile& base,
                                               std::vector<StoredAdapter> slots) {
  if (slots.empty()) {
    return Error{ErrorKind::kUsage, "the run has no adapters (method.lora.rank=0)",
                 "export its weights: --format hf or gguf"};
  }
  for (StoredAdapter& slot : slots) {
    if (slot.plan.restart_every > 0 || slot.plan.rest_trained) {
      return Error{ErrorKind::kUsage,
                   slot.plan.rest_trained
                       ? "the run trained more than its adapters (method.lora.train_rest), which "
                         "an adapter file has no place for"
                       : "the run's adapters have joined its weights (method.lora.restart_every), "
                         "so that what is left of them is not all it learnt",
                   kMerged};
    }
    if (slot.plan.init == AdapterInit::kPissa) {
      const auto out = static_cast<std::int64_t>(slot.b.size()) / slot.plan.rank;
      const auto in = static_cast<std::int64_t>(slot.a.size()) / slot.plan.rank;
      take_away(leading_adapter(base.floats(slot.slot + ".weight"), slot.plan, out, in), slot);
    }
  }
  return slots;
}

Result<ExportReport> export_adapter(Backend& backend, const AdapterExport& request) {
  std::error_code failed;
  if (fs::exists(request.out, failed)) {
    return Error{ErrorKind::kUsage, request.out.string() + " exists already",
                 "name a folder that does not"};
  }
  const auto slots = beside_base(request.base, request.slots);
  if (!slots) {
    return slots.error();
  }
  ExportReport report;
  report.source_hash = model_hash(request.base);
  report.tokenizer = "that of the base";
  fs::path partial = request.out;
  partial += ".partial";
  fs::remove_all(partial, failed);
  Result<void> done = write_and_prove(backend, request, *slots, partial, report);
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
