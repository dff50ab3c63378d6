// See condition.h.
#include "experiments/condition.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <optional>

#include "engine/base/format.h"

namespace lathe::experiments {
namespace {

struct Quantity {
  std::string_view name;
  bool in_bytes;
  double (*of)(const Prediction&);
};
constexpr std::array kQuantities{
    Quantity{"mem.peak", true,
             [](const Prediction& p) { return static_cast<double>(p.peak_bytes); }},
    Quantity{"model.params", false,
             [](const Prediction& p) { return static_cast<double>(p.params); }},
    Quantity{"model.stored_bytes", true,
             [](const Prediction& p) { return static_cast<double>(p.stored_bytes); }},
    Quantity{"flops", false, [](const Prediction& p) { return p.flops_per_step; }}};

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kUnits{Unit{"", 1},          Unit{"B", 1},
                            Unit{"KiB", 1 << 10}, Unit{"MiB", 1 << 20},
                            Unit{"GiB", 1 << 30}, Unit{"TiB", 1024.0 * (1 << 30)},
                            Unit{"k", 1e3},       Unit{"M", 1e6},
                            Unit{"G", 1e9},       Unit{"T", 1e12}};

constexpr std::array<std::string_view, 4> kOperators{"<", "<=", ">", ">="};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

const Quantity* find_quantity(std::string_view name) {
  for (const Quantity& quantity : kQuantities) {
    if (quantity.name == name) {
      return &quantity;
    }
  }
  return nullptr;
}

std::optional<double> parse_amount(std::string_view text) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || number < 0) {
    return std::nullopt;
  }
  const std::string_view unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const Unit& known : kUnits) {
    if (known.name == unit) {
      return number * known.factor;
    }
  }
  return std::nullopt;
}

Error bad_condition(std::string_view text, std::string_view what) {
  return {ErrorKind::kUsage, fmt::format("the condition '{}' {}", text, what),
          "write e.g. 'mem.peak < 2GiB' or 'model.params <= 1e6': one of mem.peak, model.params, "
          "model.stored_bytes, flops; one of < <= > >=; a number with B, KiB, MiB, GiB, TiB, k, M, "
          "G, T or no unit"};
}

}  // namespace

Result<Condition> parse_condition(std::string_view text) {
  const std::size_t at = text.find_first_of("<>");
  if (at == std::string_view::npos) {
    return bad_condition(text, "has no comparison");
  }
  const bool or_equal = at + 1 < text.size() && text[at + 1] == '=';
  Condition condition;
  condition.text = text;
  condition.name = trimmed(text.substr(0, at));
  if (text[at] == '<') {
    condition.comparison = or_equal ? Comparison::kLessEqual : Comparison::kLess;
  } else {
    condition.comparison = or_equal ? Comparison::kGreaterEqual : Comparison::kGreater;
  }
  if (find_quantity(condition.name) == nullptr) {
    return bad_condition(text, fmt::format("names '{}', which is not predicted", condition.name));
  }
  const std::string_view amount = trimmed(text.substr(at + (or_equal ? 2 : 1)));
  const auto bound = parse_amount(amount);
  if (!bound) {
    return bad_condition(text, fmt::format("compares with '{}', which is no amount", amount));
  }
  condition.bound = *bound;
  return condition;
}

std::string why_dropped(const Condition& condition, const Prediction& prediction) {
  const Quantity& quantity = *find_quantity(condition.name);
  const double value = quantity.of(prediction);
  bool holds = false;
  switch (condition.comparison) {
    case Comparison::kLess:
      holds = value < condition.bound;
      break;
    case Comparison::kLessEqual:
      holds = value <= condition.bound;
      break;
    case Comparison::kGreater:
      holds = value > condition.bound;
      break;
    case Comparison::kGreaterEqual:
      holds = value >= condition.bound;
      break;
  }
  if (holds) {
    return "";
  }
  const auto shown = [&](double amount) {
    return quantity.in_bytes ? bytes_text(static_cast<std::int64_t>(amount)) : count_text(amount);
  };
  return fmt::format("{} is {}, and must be {} {}", condition.name, shown(value),
                     kOperators[static_cast<std::size_t>(condition.comparison)],
                     shown(condition.bound));
}

}  // namespace lathe::experiments
