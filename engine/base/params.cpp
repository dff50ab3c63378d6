// The untemplated half of params.h.
#include "engine/base/params.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace lathe {

std::string_view ParamInfo::short_name() const {
  std::size_t dot = path.rfind('.');
  if (qualified && dot != std::string::npos && dot > 0) {
    dot = path.rfind('.', dot - 1);
  }
  return dot == std::string::npos ? std::string_view(path) : std::string_view(path).substr(dot + 1);
}

namespace detail {

ParamInfo make_param_info(std::string path, const FieldMeta& meta, std::string_view prefix) {
  ParamInfo info;
  info.path = std::move(path);
  info.lo = meta.lo;
  info.hi = meta.hi;
  info.log = meta.log;
  info.sweep = meta.sweep;
  info.structural = meta.structural;
  info.live = meta.live;
  info.qualified = meta.qualified;
  info.unit = meta.unit;
  info.help = meta.help;
  if (!meta.was.empty()) {
    info.was =
        prefix.empty() ? std::string(meta.was) : std::string(prefix) + "." + std::string(meta.was);
  }
  return info;
}

std::string real_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

std::string list_text(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) {
    text += (text.size() > 1 ? "," : "") + value;
  }
  return text + "]";
}

}  // namespace detail

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::string nearest_param(std::string_view name, const std::vector<ParamInfo>& infos) {
  std::string best;
  std::size_t best_distance = std::string::npos;
  for (const ParamInfo& info : infos) {
    const std::size_t distance =
        std::min(edit_distance(name, info.path), edit_distance(name, info.short_name()));
    if (distance < best_distance) {
      best_distance = distance;
      best = info.path;
    }
  }
  return best;
}

}  // namespace lathe
