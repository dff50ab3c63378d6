// Exports of weights, as the command line and the window ask for them: a MODEL that is a file, a
// run or a checkpoint's folder, written for other programs.
#pragma once

#include <string>

#include "app/cli.h"
#include "engine/lm/model_export.h"

namespace lathe::app {

struct WeightsExport {
  std::string model;  // file, folder, installed model, run, or the folder of a run's checkpoint
  std::string format = "gguf";  // or "hf"; "peft": a run's adapters alone, always in f32
  std::string dtype = "f16";
  std::string out;
  Factors factors = Factors::kMultiplyOut;
};

// What may be asked for as a dtype, for messages.
constexpr const char* kExportTypes = "f32, f16, bf16; in gguf also q8_0, q4_0, q4_1, q6_k";

// kUsage for a model, type or format that is not there, and what export_model() says.
Result<ExportReport> export_weights(const GlobalOptions& options, const WeightsExport& wanted,
                                    const ExportProgress& progress);

Json report_json(const WeightsExport& wanted, const ExportReport& report);

}  // namespace lathe::app
