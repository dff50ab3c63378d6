// What the keys do. Single letters act only while no text field has the focus.
#include <imgui.h>

#include <algorithm>
#include <string_view>

#include "ui/workbench.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

void Workbench::read_plain_keys(PanelContext& context) {
  for (const Panel& panel : panels()) {
    const std::string_view key = panel.key;
    if (!key.empty() &&
        ImGui::IsKeyPressed(static_cast<ImGuiKey>(ImGuiKey_0 + (key[0] - '0')), false)) {
      context.wishes.show_panel = panel.title;
    }
  }
  const bool enter = ImGui::IsKeyPressed(ImGuiKey_Enter, false) ||
                     ImGui::IsKeyPressed(ImGuiKey_KeypadEnter, false);
  if (enter && rows_.empty() && !live_->busy && !ImGui::GetIO().NavVisible) {
    context.wishes.run_sample = true;
  }
  if (ImGui::IsKeyPressed(ImGuiKey_T, false) && live_->busy) {
    context.wishes.toggle_pause(live_->paused);
  }
  if (ImGui::IsKeyPressed(ImGuiKey_F, false)) {
    view_.free_plots.clear();
  }
  if (ImGui::IsKeyPressed(ImGuiKey_X, false)) {
    state_.x_axis = state_.x_axis == XAxis::kSteps ? XAxis::kTokens : XAxis::kSteps;
    view_.free_plots.clear();
  }
  if (ImGui::IsKeyPressed(ImGuiKey_D, false)) {
    state_.only_differences = !state_.only_differences;
  }
  if (ImGui::IsKeyPressed(ImGuiKey_H, false) && !state_.focus.empty()) {
    if (ImGui::GetIO().KeyShift) {
      state_.hidden.clear();
      for (const std::string& run : shown_) {
        if (run != state_.focus) {
          state_.hidden.push_back(run);
        }
      }
    } else {
      toggle(state_.hidden, state_.focus);
    }
  }
  const bool known = row_index_.count(state_.focus) > 0;
  if (ImGui::IsKeyPressed(ImGuiKey_R, false) && known && !live_->busy) {
    context.wishes.commands.emplace_back(ex::ReplayStored{state_.focus, true});
  }
}

// Keys of the time strip; the arrows belong to widgets while one is navigated by keyboard.
static void read_time_keys(Scrubber& scrubber) {
  const bool shift = ImGui::GetIO().KeyShift;
  if (ImGui::IsKeyPressed(ImGuiKey_LeftArrow)) {
    shift ? scrubber.to_flag(-1) : scrubber.move(-1);
  }
  if (ImGui::IsKeyPressed(ImGuiKey_RightArrow)) {
    shift ? scrubber.to_flag(1) : scrubber.move(1);
  }
  if (ImGui::IsKeyPressed(ImGuiKey_Home, false)) {
    scrubber.go_first();
  }
  if (ImGui::IsKeyPressed(ImGuiKey_End, false)) {
    scrubber.go_live();
  }
  if (ImGui::IsKeyPressed(ImGuiKey_Space, false) && !ImGui::IsAnyItemFocused()) {
    scrubber.toggle_play();
  }
}

void Workbench::read_keys(PanelContext& context) {
  const ImGuiIO& io = ImGui::GetIO();
  // Of a quick Ctrl+K a slow frame may see the K only together with the release of Ctrl.
  const bool ctrl = io.KeyCtrl || ctrl_held_;
  ctrl_held_ = io.KeyCtrl;
  if (ctrl) {
    if (ImGui::IsKeyPressed(ImGuiKey_K, false) || ImGui::IsKeyPressed(ImGuiKey_P, false)) {
      view_.palette_open = true;
    }
    if (ImGui::IsKeyPressed(ImGuiKey_F, false)) {
      context.wishes.show_panel = "Runs";
      view_.focus_filter = true;
    }
    context.wishes.close |= ImGui::IsKeyPressed(ImGuiKey_Q, false);
    const bool larger =
        ImGui::IsKeyPressed(ImGuiKey_Equal) || ImGui::IsKeyPressed(ImGuiKey_KeypadAdd);
    const bool smaller =
        ImGui::IsKeyPressed(ImGuiKey_Minus) || ImGui::IsKeyPressed(ImGuiKey_KeypadSubtract);
    const bool normal = ImGui::IsKeyPressed(ImGuiKey_0, false);
    if (larger || smaller || normal) {
      const double factor = larger ? 1.1 : 1 / 1.1;
      state_.scale = normal ? 1.0 : std::clamp(state_.scale * factor, 0.75, 3.0);
      context.wishes.restyle = true;
    }
    if (ImGui::IsKeyPressed(ImGuiKey_Enter, false) && !live_->busy) {
      const Result<Json> sweep = draft_.document();
      if (sweep) {
        context.wishes.commands.emplace_back(ex::StartSweep{*sweep});
        context.wishes.show_panel = "Live";
      } else {
        context.wishes.toast = sweep.error().text();
      }
    }
    return;
  }
  if (!io.WantTextInput && !io.KeyAlt) {
    read_plain_keys(context);
    read_time_keys(scrubber_);
  }
}

}  // namespace lathe::ui
