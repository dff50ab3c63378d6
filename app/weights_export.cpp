// See weights_export.h.
#include "app/weights_export.h"

#include "app/export_source.h"
#include "engine/backend/failure.h"
#include "experiments/device.h"
#include "experiments/predict.h"

namespace lathe::app {

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
    return error_of(failure, "an export holds the weights twice as floats; close other programs");
  }
}

Json report_json(const WeightsExport& wanted, const ExportReport& report) {
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
          {"fallbacks", report.fallbacks},
          {"tokenizer", report.tokenizer}};
}

}  // namespace lathe::app
