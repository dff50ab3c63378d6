// See settings.h.
#include "experiments/settings.h"

#include <fmt/core.h>

#include "experiments/run_spec.h"

namespace lathe::experiments {
namespace {

Error usage(std::string message, std::string remedy) {
  return {ErrorKind::kUsage, std::move(message), std::move(remedy)};
}

struct Assignment {
  std::string_view key, value;
};

Result<Assignment> split(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return usage(fmt::format("'{}' is not a setting", assignment),
                 "write key=value, e.g. budget=0.8");
  }
  return Assignment{assignment.substr(0, equals), assignment.substr(equals + 1)};
}

std::vector<std::string> listed(std::string_view text) {
  std::vector<std::string> values;
  while (true) {
    const std::size_t comma = text.find(',');
    values.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      return values;
    }
    text.remove_prefix(comma + 1);
  }
}

// Whether whole components, at least two, are the path's last ones.
bool is_end_of_path(std::string_view key, std::string_view path) {
  return key.find('.') != key.npos && path.size() > key.size() && path.ends_with(key) &&
         path[path.size() - key.size() - 1] == '.';
}

}  // namespace

Result<const ParamInfo*> resolve_among(std::string_view key, const std::vector<ParamInfo>& params) {
  std::vector<const ParamInfo*> matches;
  for (const ParamInfo& param : params) {
    if (param.path == key || (!param.was.empty() && param.was == key)) {
      return &param;
    }
    if (param.short_name() == key || is_end_of_path(key, param.path)) {
      matches.push_back(&param);
    }
  }
  if (matches.size() == 1) {
    return matches.front();
  }
  if (matches.empty()) {
    return usage(
        "unknown parameter " + std::string(key) + "; the nearest is " + nearest_param(key, params),
        "lathe describe lists every parameter");
  }
  std::string list;
  for (const ParamInfo* match : matches) {
    list += (list.empty() ? "" : ", ") + match->path;
  }
  return usage(fmt::format("{} is short for several parameters: {}", key, list),
               "write the whole path");
}

Result<void> apply_setting(std::string_view assignment, const std::vector<ParamInfo>& params,
                           Json& document) {
  const auto parts = split(assignment);
  if (!parts) {
    return parts.error();
  }
  const auto param = resolve_among(parts->key, params);
  if (!param) {
    return param.error();
  }
  const auto value = parse_param_value(**param, parts->value);
  if (!value) {
    return value.error();
  }
  set_path(document, (*param)->path, *value);
  return {};
}

Result<std::vector<std::vector<std::string>>> expand_settings(
    const std::vector<std::string>& settings, const std::vector<ParamInfo>& params) {
  std::vector<std::vector<std::string>> points{{}};
  for (const std::string& setting : settings) {
    const auto parts = split(setting);
    if (!parts) {
      return parts.error();
    }
    const auto param = resolve_among(parts->key, params);
    if (!param) {
      return param.error();
    }
    const bool text = (*param)->type == ParamType::kText || (*param)->type == ParamType::kTextList;
    const std::vector<std::string> values =
        text ? std::vector<std::string>{std::string(parts->value)} : listed(parts->value);
    if (values.size() > 1 && !(*param)->sweep) {
      return usage(fmt::format("{}: {} takes one value", setting, (*param)->path), "give it one");
    }
    std::vector<std::vector<std::string>> longer;
    for (const std::vector<std::string>& point : points) {
      for (const std::string& value : values) {
        longer.push_back(point);
        longer.back().push_back((*param)->path + "=" + value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

}  // namespace lathe::experiments
