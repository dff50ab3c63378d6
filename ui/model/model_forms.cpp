// See model_forms.h.
#include "ui/model/model_forms.h"

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
  std::string text = value.is_number_float() ? value_text(value.get<double>())
                     : value.is_string()     ? value.get<std::string>()
                                             : value.dump();
  out.emplace_back(path, std::move(text));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> result_lines(const Json& result) {
  std::vector<std::pair<std::string, std::string>> out;
  append_lines(result, "", out);
  return out;
}

}  // namespace lathe::ui
