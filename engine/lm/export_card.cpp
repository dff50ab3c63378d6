// The cards of exported folders.
#include <algorithm>

#include "engine/base/format.h"
#include "engine/lm/export_files.h"
#include "engine/lm/language_model.h"

namespace lathe {
namespace {

// YAML that model hubs read; a licence is named where the source names one.
std::string front_matter(const ExportPlan& plan) {
  const GgufFile* file = plan.source.gguf();
  const auto* license = file == nullptr ? nullptr : file->get<std::string>("general.license");
  const bool images = plan.model.config.images();
  std::string text = "---\nlibrary_name: transformers\npipeline_tag: ";
  text += images ? "image-classification\n" : "text-generation\n";
  if (license != nullptr && license->find_first_of("\n\"") == std::string::npos) {
    text.append("license: \"").append(*license).append("\"\n");
  }
  return text + "---\n\n";
}

std::string proof_text(const ExportPlan& plan, const ExportReport& report) {
  std::string text = "Written by Lathe from a ";
  text += model_format_name(plan.source.format());
  text += " model (hash " + report.source_hash + ") and read back: on ";
  text += plan.model.config.images() ? "8 images of noise" : "64 positions";
  text += " its logits ";
  text += "differ from those of the same rounded weights by " +
          std::to_string(report.max_difference) + " at most, from those of the model itself by " +
          std::to_string(report.max_change) + " (KL " + std::to_string(report.mean_kl) +
          " nats).\n\n";
  if (!report.merged_slots.empty()) {
    text += std::to_string(report.merged_slots.size()) +
            " factored matrices were multiplied out: this form is as large as a dense model.\n\n";
  }
  const auto blocks =
      std::count_if(plan.tensors.begin(), plan.tensors.end(),
                    [](const ExportTensor& tensor) { return is_ours(tensor.type); });
  if (blocks > 0 && bitsandbytes_form(plan)) {
    text += std::to_string(blocks) +
            " matrices are as bitsandbytes keeps them; transformers loads them where that is "
            "installed.\n\n";
  } else if (blocks > 0) {
    text += std::to_string(blocks) +
            " matrices are in block types that transformers does not read (`stored_types` of "
            "config.json); Lathe does.\n\n";
  }
  for (const std::string& fallback : report.fallbacks) {
    text.append("- another type: ").append(fallback).append("\n");
  }
  for (const Reencoded& types : report.reencoded) {
    text.append("- ").append(reencoded_text(types)).append("\n");
  }
  return text;
}

// What pixels from 0 to 1 are measured by before the model sees them.
std::string pixels_text(const Json& record) {
  const bool known = record.contains("pixel_mean") && record.contains("pixel_std");
  return known ? "Pixels: from 0 to 1, less the mean " + json_text(record["pixel_mean"]) +
                     ", divided by " + json_text(record["pixel_std"]) + ".\n"
               : "Pixels: as the model's source has them.\n";
}

// The run's identity, its last metrics and the whole spec, from which it can be run again.
std::string record_text(const Json& record) {
  std::string text = "## The run\n\n";
  for (const char* key : {"run", "name", "step"}) {
    if (record.contains(key)) {
      const Json& value = record[key];
      text.append("- ").append(key).append(": ");
      text.append(value.is_string() ? value.get<std::string>() : json_text(value)).append("\n");
    }
  }
  if (record.contains("metrics") && !record["metrics"].empty()) {
    text += "\n| metric | last value |\n| --- | --- |\n";
    for (const auto& [metric, value] : record["metrics"].items()) {
      text.append("| ").append(metric).append(" | ").append(json_text(value)).append(" |\n");
    }
  }
  if (record.contains("spec")) {
    text += "\nSpec (`lathe run FILE` runs it again):\n\n```json\n" + json_text(record["spec"], 2) +
            "\n```\n";
  }
  return text;
}

}  // namespace

std::string model_card(const ExportPlan& plan, const ExportReport& report) {
  const ModelConfig& model = plan.model.config;
  const std::string kind = hf_config(plan)["model_type"].get<std::string>();
  std::string card = front_matter(plan);
  card.append("# ").append(plan.request.name).append("\n\n");
  card.append(architecture_text(kind, model));
  if (model.images()) {
    const std::string side = std::to_string(model.image.size);
    card.append(", ").append(std::to_string(model.vocab_size)).append(" classes, images of ");
    card.append(side).append(" x ").append(side).append(" in ");
    card.append(std::to_string(model.image.channels)).append(" channels");
  } else {
    card.append(", vocabulary ").append(std::to_string(model.vocab_size));
    card.append(", context ").append(std::to_string(model.context));
  }
  card.append(".\n\nWeights: ");
  card.append(info_of(plan.request.type).name).append(", ");
  card.append(std::to_string(report.bytes)).append(" bytes.\n\n");
  card += proof_text(plan, report);
  card +=
      model.images() ? pixels_text(plan.request.record) : "Tokenizer: " + plan.text.fate + ".\n";
  if (!plan.request.record.empty()) {
    card.append("\n").append(record_text(plan.request.record));
  }
  return card;
}

std::string adapter_card(const AdapterExport& request, const AdapterPlan& written,
                         const ExportReport& report) {
  const ModelFile& base = request.base;
  std::string card = "---\nlibrary_name: peft\npipeline_tag: text-generation\nbase_model: ";
  card.append(json_text(Json(request.base_name))).append("\n---\n\n# ").append(request.name);
  card.append("\n\nAn adapter (LoRA) of rank ").append(std::to_string(written.rank));
  card.append(", scale ").append(json_text(Json(written.scale))).append(", beside ");
  card.append(std::to_string(request.slots.size())).append(" layers of ");
  card.append(request.base_name).append(" (");
  card.append(architecture_text(base.architecture(), base.config())).append(", hash ");
  card.append(report.source_hash).append(").\n\nWeights: f32, ");
  card.append(std::to_string(report.bytes)).append(" bytes.\n\n");
  if (written.init == AdapterInit::kPissa) {
    card +=
        "It began as the leading part of the base's weights (PiSSA), which is taken away again: "
        "half of its rank is that part.\n\n";
  }
  if (request.rounded_to) {
    card.append("It was trained beside the base's matrices rounded to ");
    card.append(info_of(*request.rounded_to).name);
    card.append(
        ", and has the run's values beside those (QLoRA); beside the base as it is they differ by "
        "what rounding took.\n\n");
  }
  card +=
      "Written by Lathe and read back: beside its base, on 64 positions, its logits differ from "
      "the run's by ";
  card.append(std::to_string(report.max_difference)).append(" at most.\n");
  if (!request.record.empty()) {
    card.append("\n").append(record_text(request.record));
  }
  return card;
}

}  // namespace lathe
