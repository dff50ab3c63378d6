// The filter line is split into words and conditions once and then asked per row.
#include "ui/model/run_filter.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace lathe::ui {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_comparison(char c) {
  return c == '<' || c == '>' || c == '=' || c == '!' || c == ':';
}

// Words and comparison signs, with or without spaces between.
std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (std::isspace(static_cast<unsigned char>(text[i])) != 0) {
      ++i;
      continue;
    }
    const bool sign = is_comparison(text[i]);
    const std::size_t begin = i;
    while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i])) == 0 &&
           is_comparison(text[i]) == sign) {
      ++i;
    }
    out.emplace_back(text.substr(begin, i - begin));
  }
  return out;
}

double number_from(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  static constexpr std::array<std::pair<std::string_view, double>, 10> kUnits{
      {{"", 1},
       {"k", 1e3},
       {"M", 1e6},
       {"G", 1e9},
       {"KiB", 1024.0},
       {"MiB", 1048576.0},
       {"GiB", 1073741824.0},
       {"KB", 1e3},
       {"MB", 1e6},
       {"GB", 1e9}}};
  for (const auto& [unit, factor] : kUnits) {
    if (unit == end) {
      return number * factor;
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

RunFilter::RunFilter(std::string_view text) {
  const std::vector<std::string> tokens = tokens_of(text);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i + 2 < tokens.size() && is_comparison(tokens[i + 1][0])) {
      std::string sign = tokens[i + 1];
      sign = sign == "==" || sign == ":" ? "=" : sign;
      conditions_.push_back({tokens[i], sign, lower(tokens[i + 2]), number_from(tokens[i + 2])});
      i += 2;
    } else if (lower(tokens[i]) != "and" && !is_comparison(tokens[i][0])) {
      words_.push_back(lower(tokens[i]));
    }
  }
}

bool RunFilter::holds(const Condition& condition, const RunRow& row) {
  const double value = number_of(row, condition.key);
  const std::string& sign = condition.comparison;
  if (std::isnan(condition.number) || std::isnan(value)) {
    const std::string text = lower(text_of(row, condition.key));
    const bool found = text.find(condition.text) != std::string::npos;
    return sign == "=" ? found : (sign == "!=" ? !found : false);
  }
  if (sign == "<") {
    return value < condition.number;
  }
  if (sign == "<=") {
    return value <= condition.number;
  }
  if (sign == ">") {
    return value > condition.number;
  }
  if (sign == ">=") {
    return value >= condition.number;
  }
  return sign == "!=" ? value != condition.number : value == condition.number;
}

bool RunFilter::matches(const RunRow& row) const {
  if (!words_.empty()) {
    std::string all = row.name + ' ' + row.id + ' ' + row.sweep_name + ' ' + row.note + ' ' +
                      row.error + ' ' + text_of(row, "state");
    for (const std::string& tag : row.tags) {
      all += ' ' + tag;
    }
    all = lower(all);
    for (const std::string& word : words_) {
      if (all.find(word) == std::string::npos) {
        return false;
      }
    }
  }
  return std::all_of(conditions_.begin(), conditions_.end(),
                     [&](const Condition& condition) { return holds(condition, row); });
}

std::vector<std::string> RunFilter::unknown_keys(const std::vector<RunRow>& rows) const {
  std::vector<std::string> out;
  for (const Condition& condition : conditions_) {
    const bool known = std::any_of(rows.begin(), rows.end(), [&](const RunRow& row) {
      return !std::isnan(number_of(row, condition.key)) || text_of(row, condition.key) != "-";
    });
    if (!known) {
      out.push_back(condition.key);
    }
  }
  return out;
}

}  // namespace lathe::ui
