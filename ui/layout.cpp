// The first arrangement: about a quarter for the runs, a quarter of the rest for the inspector.
#include "ui/layout.h"

#include <imgui_internal.h>

#include <initializer_list>

namespace lathe::ui {

void build_layout(ImGuiID dock_space, ImVec2 size) {
  ImGui::DockBuilderRemoveNode(dock_space);
  ImGui::DockBuilderAddNode(dock_space, ImGuiDockNodeFlags_DockSpace);
  ImGui::DockBuilderSetNodeSize(dock_space, size);
  ImGuiID middle = dock_space;
  const float left_share = size.x > 1400 ? 0.27f : 0.30f;
  const ImGuiID left =
      ImGui::DockBuilderSplitNode(middle, ImGuiDir_Left, left_share, nullptr, &middle);
  const ImGuiID right =
      ImGui::DockBuilderSplitNode(middle, ImGuiDir_Right, 0.26f, nullptr, &middle);
  ImGuiID left_top = left;
  const ImGuiID left_bottom =
      ImGui::DockBuilderSplitNode(left_top, ImGuiDir_Down, 0.26f, nullptr, &left_top);
  ImGui::DockBuilderDockWindow("Runs", left_top);
  ImGui::DockBuilderDockWindow("Log", left_bottom);
  ImGui::DockBuilderDockWindow("Problems", left_bottom);
  ImGui::DockBuilderDockWindow("Inspector", right);
  for (const char* title : {"Setup", "Live", "Sweep", "Compare", "Models", "Playground", "Spectrum",
                            "Quantization", "Memory", "Palettes"}) {
    ImGui::DockBuilderDockWindow(title, middle);
  }
  ImGui::DockBuilderFinish(dock_space);
}

}  // namespace lathe::ui
