// Everything the window remembers between two starts, in one described struct: what is selected,
// how plots look, what the editors hold. Written to the state folder every few seconds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"

namespace lathe::ui {

enum class ThemeKind : std::uint8_t { kDark, kLight };
enum class XAxis : std::uint8_t { kSteps, kTokens };
enum class MemoryView : std::uint8_t { kPeak, kLive };

}  // namespace lathe::ui

namespace lathe {
template <>
struct EnumNames<ui::ThemeKind> {
  static constexpr std::array<std::string_view, 2> names{"dark", "light"};
};
template <>
struct EnumNames<ui::XAxis> {
  static constexpr std::array<std::string_view, 2> names{"steps", "tokens"};
};
template <>
struct EnumNames<ui::MemoryView> {
  static constexpr std::array<std::string_view, 2> names{"peak", "live"};
};
}  // namespace lathe

namespace lathe::ui {

struct UiState {
  ThemeKind theme = ThemeKind::kDark;
  double scale = 1.0;                  // times the monitor's own scale
  double smoothing = 0.0;              // weight of the moving average
  std::vector<std::string> log_plots;  // metrics with a logarithmic y axis
  XAxis x_axis = XAxis::kSteps;
  MemoryView memory_view = MemoryView::kPeak;
  std::vector<std::string> plots = {"train/loss", "eval/loss", "train/acc", "perf/tokens_per_s"};
  std::string focus;                  // the run that inspector, memory and time strip show
  bool follow_newest = true;          // the focus goes to the run that trains
  std::vector<std::string> compared;  // runs ticked in the table
  std::vector<std::string> hidden;    // runs taken out of the plots
  std::string filter;
  std::string sort_by = "created";
  bool sort_descending = true;
  bool with_trash = false;
  bool only_differences = true;
  std::string model;                               // shown in the Models panel
  std::vector<std::string> recent_models;          // as they were asked for
  std::vector<std::string> playground = {"", ""};  // the models of its two columns
  std::string sweep_draft;                         // JSON of the editor, also while it is not valid
  std::string layout;  // docking, sizes and columns, in Dear ImGui's own form
  std::int64_t width = 1600;
  std::int64_t height = 900;
  bool maximized = false;

  static constexpr auto fields() {
    using S = UiState;
    return std::tuple{field("theme", &S::theme),
                      field("scale", &S::scale, {.lo = 0.5, .hi = 4}),
                      field("smoothing", &S::smoothing, {.lo = 0, .hi = 0.999}),
                      field("log_plots", &S::log_plots),
                      field("x_axis", &S::x_axis),
                      field("memory_view", &S::memory_view),
                      field("plots", &S::plots),
                      field("focus", &S::focus),
                      field("follow_newest", &S::follow_newest),
                      field("compared", &S::compared),
                      field("hidden", &S::hidden),
                      field("filter", &S::filter),
                      field("sort_by", &S::sort_by),
                      field("sort_descending", &S::sort_descending),
                      field("with_trash", &S::with_trash),
                      field("only_differences", &S::only_differences),
                      field("model", &S::model),
                      field("recent_models", &S::recent_models),
                      field("playground", &S::playground),
                      field("sweep_draft", &S::sweep_draft),
                      field("layout", &S::layout),
                      field("width", &S::width, {.lo = 320, .hi = 16384}),
                      field("height", &S::height, {.lo = 240, .hi = 16384}),
                      field("maximized", &S::maximized)};
  }
};
static_assert(complete<UiState>());

// Reads what is there; unknown keys and bad values (of another version, of a damaged file) are left
// out silently, because a window must always open.
UiState ui_state_from_text(const std::string& text);
std::string ui_state_to_text(const UiState& state);

// Reads the file; defaults if there is none.
UiState load_ui_state(const std::string& path);
// Writes beside and renames, so that a crash leaves the former file.
Result<void> save_ui_state(const std::string& text, const std::string& path);

// Adds the id if absent, removes it if present.
void toggle(std::vector<std::string>& ids, const std::string& id);
bool contains(const std::vector<std::string>& ids, const std::string& id);

}  // namespace lathe::ui
