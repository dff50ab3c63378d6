// See weights_export.h.
#include "app/weights_export.h"

#include <algorithm>

#include "app/export_source.h"
#include "engine/backend/failure.h"
#include "engine/io/peft_adapter.h"
#include "engine/lm/adapter_export.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"
#include "experiments/device.h"
#include "experiments/predict.h"

namespace lathe::app {
namespace {

constexpr const char* kMemoryAdvice =
    "an export holds the weights twice as floats; close other programs";

// The adapters of a run as its checkpoint has them, and that they can be written beside its base.
Result<std::vector<StoredAdapter>> adapters_of(const ExportSource& source) {
  if (source.file.config().images()) {
    return Error{
        ErrorKind::kUsage,
        source.name + " classifies images, and adapters alone are written of models of text",
        "use the merged model: --format hf"};
  }
  if (source.base_name.empty()) {
    return Error{ErrorKind::kUsage,
                 source.name +
                     " did not begin with a model (model.from), so there is no base for "
                     "an adapter alone",
                 "export its weights: --format hf or gguf"};
  }
  if (!source.text_of) {
    return Error{ErrorKind::kData, source.text_problem,
                 "put the model back that the run began with"};
  }
  if (is_peft_adapter(find_model(source.base_name))) {
    return Error{ErrorKind::kUsage,
                 source.name + " began with " + source.base_name +
                     ", an adapter, and one beside another has no file of its own",
                 "use the merged model: --format hf"};
  }
  if (const std::string hash = model_hash(*source.text_of);
      !source.base_hash.empty() && hash != source.base_hash) {
    return Error{ErrorKind::kMismatch,
                 source.base_name + " holds other weights (" + hash +
                     ") than the run began with (" + source.base_hash + ")",
                 "put the model back that the run began with"};
  }
  if (std::any_of(source.trained.begin(), source.trained.end(), [](const LinearPlan& slot) {
        return slot.adapter.scale_shift || slot.adapter.output_rank > 0;
      })) {
    return Error{ErrorKind::kUsage,
                 source.name +
                     " was trained by method.ssf or method.hydra, and adapters alone are written "
                     "of method.lora",
                 "use the merged model: --format hf"};
  }
  const auto weights = SafetensorsFile::open(source.checkpoint / "weights.safetensors");
  return weights ? read_adapters(*weights, source.checkpoint, source.trained) : weights.error();
}

Result<ExportReport> export_adapter_of(Backend& backend, const ExportSource& source,
                                       const WeightsExport& wanted,
                                       const ExportProgress& progress) {
  const auto slots = adapters_of(source);
  if (!slots) {
    return slots.error();
  }
  try {
    return export_adapter(backend, {.base = *source.text_of,
                                    .merged = source.file,
                                    .slots = *slots,
                                    .out = wanted.out,
                                    .name = source.name,
                                    .base_name = source.base_name,
                                    .rounded_to = source.rounded_to,
                                    .record = source.record,
                                    .progress = progress});
  } catch (const std::exception& failure) {
    return error_of(failure, kMemoryAdvice);
  }
}

}  // namespace

Result<ExportReport> export_weights(const GlobalOptions& options, const WeightsExport& wanted,
                                    const ExportProgress& progress) {
  const auto type = stored_type_of_name(wanted.dtype);
  if (!type) {
    return Error{ErrorKind::kUsage, "there is no type " + wanted.dtype,
                 std::string("choose ") + kExportTypes};
  }
  const auto source = open_export_source(wanted.model, options);
  if (!source) {
    return source.error();
  }
  const auto device = experiments::resolve_device(options.device);
  if (!device) {
    return device.error();
  }
  const auto backend = make_backend(*device, options.threads);
  if (!backend) {
    return backend.error();
  }
  if (wanted.format == "peft") {
    return export_adapter_of(**backend, *source, wanted, progress);
  }
  const bool gguf = wanted.format == "gguf";
  const bool own = source->corpus != nullptr;
  try {
    return export_model(**backend, source->file, source->plans,
                        {.format = gguf ? ModelFormat::kGguf : ModelFormat::kHuggingFace,
                         .type = *type,
                         .factors = wanted.factors,
                         .out = wanted.out,
                         .name = source->name,
                         .corpus_tokenizer = own ? source->corpus->tokenizer() : nullptr,
                         .text_of = source->text_of ? &*source->text_of : nullptr,
                         .text_problem = source->text_problem,
                         .record = source->record,
                         .progress = progress});
  } catch (const std::exception& failure) {
    return error_of(failure, kMemoryAdvice);
  }
}

Json report_json(const WeightsExport& wanted, const ExportReport& report) {
  Json reencoded = Json::array();
  for (const Reencoded& types : report.reencoded) {
    reencoded.push_back({{"from", types.from},
                         {"to", types.to},
                         {"matrices", types.matrices},
                         {"error", types.error},
                         {"largest", types.largest},
                         {"where", types.where}});
  }
  return {{"model", wanted.model},
          {"format", wanted.format},
          {"dtype", wanted.dtype},
          {"out", wanted.out},
          {"bytes", report.bytes},
          {"source_hash", report.source_hash},
          {"max_difference", report.max_difference},
          {"max_change", report.max_change},
          {"mean_kl", report.mean_kl},
          {"argmax_agreement", report.argmax_agreement},
          {"merged", report.merged_slots},
          {"reencoded", reencoded},
          {"fallbacks", report.fallbacks},
          {"tokenizer", report.tokenizer}};
}

}  // namespace lathe::app
