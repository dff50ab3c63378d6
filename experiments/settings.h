// "key=value" settings of a described struct, as verbs take them that have no run's spec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/params.h"
#include "engine/base/result.h"

namespace lathe::experiments {

// By full path, former path, or a short name or end of a path ("lora.alpha") that is unique. kUsage
// names the nearest or the clashing ones.
Result<const ParamInfo*> resolve_among(std::string_view key, const std::vector<ParamInfo>& params);

// Lays one setting over a document.
Result<void> apply_setting(std::string_view assignment, const std::vector<ParamInfo>& params,
                           Json& document);

// A whole struct from settings over its defaults; all errors of the document at once (kUsage).
template <Described T>
Result<T> from_document(const Json& document) {
  T value;
  std::vector<std::string> errors;
  read_json(document, value, "", errors);
  if (errors.empty()) {
    return value;
  }
  std::string text;
  for (const std::string& error : errors) {
    text += (text.empty() ? "" : "\n") + error;
  }
  return Error{ErrorKind::kUsage, text, "see the verb's --help"};
}

template <Described T>
Result<T> from_settings(const std::vector<std::string>& settings) {
  std::vector<ParamInfo> params;
  append_params<T>("", params);
  Json document = Json::object();
  for (const std::string& setting : settings) {
    if (const Result<void> applied = apply_setting(setting, params, document); !applied) {
      return applied.error();
    }
  }
  return from_document<T>(document);
}

// Every combination of settings whose values are lists, "budget=0.9,0.8", the last varying fastest.
// Only parameters that may be swept take lists.
Result<std::vector<std::vector<std::string>>> expand_settings(
    const std::vector<std::string>& settings, const std::vector<ParamInfo>& params);

// The points of expand_settings().
template <Described T>
Result<std::vector<T>> points_from_settings(const std::vector<std::string>& settings) {
  std::vector<ParamInfo> params;
  append_params<T>("", params);
  const auto expanded = expand_settings(settings, params);
  if (!expanded) {
    return expanded.error();
  }
  std::vector<T> points;
  for (const std::vector<std::string>& one : *expanded) {
    auto point = from_settings<T>(one);
    if (!point) {
      return point.error();
    }
    points.push_back(std::move(*point));
  }
  return points;
}

}  // namespace lathe::experiments
