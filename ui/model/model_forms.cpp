// See model_forms.h.
#include "ui/model/model_forms.h"

#include <fmt/format.h>

#include <algorithm>

#include "ui/model/value_text.h"

namespace lathe::ui {

Json evaluation_of(const EvaluationForm& form) {
  Json task = {{"task", kEvaluationTasks[static_cast<std::size_t>(form.task)].id},
               {"data", form.data}};
  if (form.limit > 0) {
    task["limit"] = form.limit;
  }
  return task;
}

Json fine_tune_of(const FineTuneForm& form, const std::string& model, const std::string& title) {
  // The number as it is shown, not as its float is.
  const double lr = std::stod(fmt::format("{:.3g}", form.lr));
  const int quarter = std::max(1, form.steps / 4);
  return {
      {"name", title},
      {"model", {{"from", model}}},
      {"data",
       {{"kind", kFineTuneKinds[static_cast<std::size_t>(form.kind)].id}, {"path", form.data}}},
      {"train",
       {{"steps", form.steps},
        {"batch_size", form.batch_size},
        {"seq_len", form.seq_len},
        {"eval_every", quarter},
        {"eval_batches", 16},
        {"checkpoint_every", 0},
        {"checkpoints_kept", 1}}},
      {"optim", {{"lr", lr}, {"warmup_steps", std::max(1, form.steps / 10)}, {"weight_decay", 0}}}};
}

std::string export_path(const ExportForm& form, const std::string& folder,
                        const std::string& name) {
  const ExportType& type = kExportTypes[static_cast<std::size_t>(form.type)];
  const bool gguf = std::string_view(type.format) == "gguf";
  return fmt::format("{}/{}{}{}{}", folder, name, gguf ? "." : "-", type.dtype,
                     gguf ? ".gguf" : "");
}

Json sampling_of(const PlaygroundForm& form) {
  return {{"temperature", form.temperature},
          {"top_p", form.top_p},
          {"top_k", form.top_k},
          {"max_tokens", form.max_tokens},
          {"seed", form.seed}};
}

namespace {

void append_lines(const Json& value, const std::string& path,
                  std::vector<std::pair<std::string, std::string>>& out) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      append_lines(inner, path.empty() ? key : path + "." + key, out);
    }
    return;
  }
  std::string text = value.is_number()   ? metric_text(path, value.get<double>())
                     : value.is_string() ? value.get<std::string>()
                                         : json_text(value);
  out.emplace_back(path, std::move(text));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> result_lines(const Json& result) {
  std::vector<std::pair<std::string, std::string>> out;
  append_lines(result, "", out);
  return out;
}

}  // namespace lathe::ui
