// The files of an export, as they are written before they are proved.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/lm/adapter_export.h"
#include "engine/lm/export_text.h"
#include "engine/lm/export_weights.h"
#include "engine/lm/model_export.h"

namespace lathe {

// All that is written.
struct ExportPlan {
  const ModelFile& source;
  const ExportRequest& request;
  NameScheme scheme = NameScheme::kHfLlama;
  WrittenModel model;
  std::vector<ExportTensor> tensors;
  ExportText text;
};

// Writes to `path`, a file or a folder; tells the bytes of the weights. kDisk, kInterrupted.
Result<void> write_gguf_file(const ExportPlan& plan, const std::filesystem::path& path,
                             ExportReport& report);
Result<void> write_hf_folder(const ExportPlan& plan, const std::filesystem::path& folder,
                             ExportReport& report);

// modeling_lathe.py, with which transformers reads a folder of factored slots.
std::string modeling_source(NameScheme scheme, const ModelConfig& model);

// The type of all matrices in few bits, where the folder can have them as bitsandbytes keeps them:
// dense slots alone, one type that it knows.
std::optional<StoredType> bitsandbytes_form(const ExportPlan& plan);

// config.json of transformers.
Json hf_config(const ExportPlan& plan);

// README.md of a folder: what the model is, what it was made from, what the export changed.
std::string model_card(const ExportPlan& plan, const ExportReport& report);

// README.md of an adapter's folder.
std::string adapter_card(const AdapterExport& request, const AdapterPlan& written,
                         const ExportReport& report);

// The share of an export that writing takes; proving takes the rest.
constexpr double kWritingShare = 0.5;

// Writes every tensor in order through a writer of either format.
template <typename Writer>
Result<void> write_tensors(const ExportPlan& plan, Writer& writer, ExportReport& report) {
  std::size_t done = 0;
  for (const ExportTensor& tensor : plan.tensors) {
    const double share = static_cast<double>(done++) / static_cast<double>(plan.tensors.size());
    if (plan.request.progress &&
        !plan.request.progress(kWritingShare * share, "writing " + tensor.stored_name)) {
      return Error{ErrorKind::kInterrupted, "stopped", ""};
    }
    const std::vector<std::byte> bytes = encoded_tensor(plan.source, tensor);
    report.bytes += static_cast<std::int64_t>(bytes.size());
    const Result<void> written = writer.write(bytes.data(), bytes.size());
    if (!written) {
      return written;
    }
  }
  return writer.commit();
}

}  // namespace lathe
