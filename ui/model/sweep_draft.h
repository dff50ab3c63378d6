// The sweep that is being edited: a base document and axes over it, as they are typed. A draft may
// be wrong at any time; document() says whether it can be started.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/params.h"
#include "experiments/sweep.h"

namespace lathe::ui {

// One axis as it stands in the editor. Lists stay text, so that half-typed values survive.
struct AxisDraft {
  std::string path;
  experiments::AxisKind kind = experiments::AxisKind::kList;
  std::string values;  // kList: "4, 8, 16"
  double lo = 0;
  double hi = 0;
  double step = 1;
  std::int64_t count = 4;
};

class SweepDraft {
 public:
  // Begins with the defaults of every parameter and no axis.
  SweepDraft();

  // Replaces all by a sweep document (see experiments/sweep.h).
  Result<void> load(const Json& sweep);
  // The sweep document, or what is wrong with the draft.
  Result<Json> document() const;
  Result<experiments::SweepSpec> spec() const;

  // The editor's own form, wrong values included.
  std::string to_text() const;
  void restore(const std::string& text);

  Json value(std::string_view path) const { return experiments::get_path(base_, path); }
  void set(std::string_view path, Json value);
  // Text of a value as one would type it.
  std::string value_text(std::string_view path) const;

  // Methods are switched on by their object's presence under "method".
  bool has_method(std::string_view id) const;
  void set_method(std::string_view id, bool enabled);

  bool is_axis(std::string_view path) const { return find_axis(path) != nullptr; }
  const AxisDraft* find_axis(std::string_view path) const;
  // Turns a parameter into an axis around its present value, or back into a single value.
  void toggle_axis(const ParamInfo& param);
  void set_axis(const AxisDraft& axis);
  const std::vector<AxisDraft>& axes() const { return axes_; }

  const std::string& name() const { return name_; }
  const std::string& search() const { return search_; }
  std::int64_t trials() const { return trials_; }
  std::int64_t seeds() const { return seeds_; }
  const std::vector<std::string>& where() const { return where_; }
  void set_name(std::string name);
  void set_search(std::string search);
  void set_trials(std::int64_t trials);
  void set_seeds(std::int64_t seeds);
  void set_where(std::vector<std::string> where);

  // Rises with each change.
  std::uint64_t revision() const { return revision_; }

 private:
  Json base_;
  std::vector<AxisDraft> axes_;
  std::string name_ = "sweep";
  std::string search_ = "grid";
  std::int64_t trials_ = 8;
  std::int64_t seeds_ = 1;
  std::vector<std::string> where_;
  std::uint64_t revision_ = 1;
};

// Title of a parameter's group: the path without its last part ("method.low_rank"), "run" if none.
std::string param_group(const ParamInfo& param);
// The values that an axis is offered with: around `value`, within the parameter's range.
std::string suggest_values(const ParamInfo& param, const Json& value);

}  // namespace lathe::ui
