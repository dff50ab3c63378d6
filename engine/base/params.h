// The type-erased face of described structs: a flat list of parameters with dotted paths. Whoever
// must not know a struct's type (sliders, columns, sweep axes, help) works on this list and on the
// JSON document of a spec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"

namespace lathe {

enum class ParamType { kBool, kInt, kReal, kText, kEnum, kTextList };

// One parameter of a spec, e.g. path "method.low_rank.rank".
struct ParamInfo {
  std::string path;
  ParamType type = ParamType::kInt;
  double lo = 0;
  double hi = 0;
  bool log = false;
  bool sweep = false;
  bool structural = false;
  bool live = false;
  std::string unit;
  std::string help;
  std::string was;                   // former full path, empty if none
  std::vector<std::string> choices;  // names of an enum
  std::string default_text;          // as one would write it after "path="

  bool qualified = false;

  // The last component of the path, or the last two if qualified: the short name that resolves
  // where it is unique.
  std::string_view short_name() const;
};

namespace detail {
ParamInfo make_param_info(std::string path, const FieldMeta& meta, std::string_view prefix);
std::string real_text(double value);
std::string list_text(const std::vector<std::string>& values);
}  // namespace detail

// Appends the parameters of a described struct under `prefix` ("" or "model" ...), depth first.
template <Described T>
void append_params(std::string_view prefix, std::vector<ParamInfo>& out) {
  T defaults{};
  for_each_field(defaults, [&](const auto& f, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    std::string path =
        prefix.empty() ? std::string(f.name) : std::string(prefix) + "." + std::string(f.name);
    if constexpr (Described<Value>) {
      append_params<Value>(path, out);
    } else {
      ParamInfo info = detail::make_param_info(std::move(path), f.meta, prefix);
      if constexpr (std::is_same_v<Value, bool>) {
        info.type = ParamType::kBool;
        info.default_text = value ? "true" : "false";
      } else if constexpr (NamedEnum<Value>) {
        info.type = ParamType::kEnum;
        info.choices.assign(EnumNames<Value>::names.begin(), EnumNames<Value>::names.end());
        info.default_text = enum_name(value);
      } else if constexpr (std::is_same_v<Value, std::int64_t>) {
        info.type = ParamType::kInt;
        info.default_text = std::to_string(value);
      } else if constexpr (std::is_same_v<Value, double>) {
        info.type = ParamType::kReal;
        info.default_text = detail::real_text(value);
      } else if constexpr (std::is_same_v<Value, std::string>) {
        info.type = ParamType::kText;
        info.default_text = value;
      } else {
        static_assert(std::is_same_v<Value, std::vector<std::string>>,
                      "described fields are bool, int64_t, double, string, enum, list of strings "
                      "or a described struct");
        info.type = ParamType::kTextList;
        info.default_text = detail::list_text(value);
      }
      out.push_back(std::move(info));
    }
  });
}

// The parameter nearest in spelling to `name` among `infos` (by path or short name), for messages.
std::string nearest_param(std::string_view name, const std::vector<ParamInfo>& infos);

// Levenshtein distance, for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace lathe
