// The list of panels and the context's look-ups.
#include <array>

#include "ui/panels/panel.h"

namespace lathe::ui {

std::span<const Panel> panels() {
  static constexpr std::array<Panel, 14> kPanels{{
      {"Setup", "1", draw_setup},
      {"Live", "2", draw_live_plots},
      {"Sweep", "3", draw_sweep_editor},
      {"Compare", "4", draw_compare},
      {"Models", "5", draw_models},
      {"Playground", "6", draw_playground},
      {"Spectrum", "7", draw_spectrum},
      {"Quantization", "8", draw_quantization},
      {"Memory", "9", draw_memory},
      {"Palettes", "0", draw_weight_palettes},
      {"Runs", "", draw_run_table},
      {"Inspector", "", draw_inspector},
      {"Log", "", draw_log},
      {"Problems", "", draw_problems},
  }};
  return kPanels;
}

const RunRow* PanelContext::find_row(const std::string& run) const {
  const auto found = row_index.find(run);
  return found == row_index.end() ? nullptr : &rows[found->second];
}

ImVec4 PanelContext::run_color(const std::string& run) const {
  const RunRow* row = find_row(run);
  return row == nullptr ? theme.muted : theme.runs[color_index(*row, kRunColors)];
}

}  // namespace lathe::ui
