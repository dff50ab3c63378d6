// The first arrangement of the panels: runs on the left, the four workspaces as tabs in the middle,
// the inspector on the right, log and problems below.
#pragma once

#include <imgui.h>

namespace lathe::ui {

// Builds the layout in the dock space of this id, replacing whatever is there.
void build_layout(ImGuiID dock_space, ImVec2 size);

}  // namespace lathe::ui
