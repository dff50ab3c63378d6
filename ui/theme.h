// Colours, spacing and fonts of the window: dark and light, both with text contrast above 7:1. Runs
// and memory categories have colours that colour-blind eyes tell apart (after Okabe and Ito, 2008).
#pragma once

#include <imgui.h>

#include <cstddef>

#include "experiments/events.h"
#include "ui/model/ui_state.h"

namespace lathe::ui {

inline constexpr std::size_t kRunColors = 10;

struct Theme {
  ThemeKind kind = ThemeKind::kDark;
  ImVec4 text;
  ImVec4 muted;   // labels, units, hints
  ImVec4 accent;  // the one button to press, selection
  ImVec4 accent_text;
  ImVec4 good;
  ImVec4 warning;
  ImVec4 bad;
  ImVec4 raised;  // cards and bars above the panel's ground
  ImVec4 line;
  ImVec4 runs[kRunColors];
  ImVec4 categories[kCategoryCount];
};

struct Fonts {
  ImFont* text = nullptr;  // with icons
  ImFont* mono = nullptr;  // tables of numbers, log
};

Theme make_theme(ThemeKind kind);

// Sets the styles of Dear ImGui and ImPlot; `scale` is pixels per point (2 on a HiDPI screen).
void apply_theme(const Theme& theme, float scale);

// Loads the fonts from the assets; the built-in font where one is missing.
Fonts load_fonts();

}  // namespace lathe::ui
