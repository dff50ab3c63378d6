// The palette (Ctrl+K): every action and every run by name, for the keyboard.
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

struct Action {
  std::string title;
  std::string key;
  std::function<void(PanelContext&)> run;
};

void add_engine_actions(const PanelContext& context, std::vector<Action>& out) {
  if (!context.live.busy) {
    out.push_back(
        {"Run the sample sweep", "", [](PanelContext& c) { c.wishes.run_sample = true; }});
    return;
  }
  if (context.live.paused) {
    out.push_back({"Continue", "T",
                   [](PanelContext& c) { c.wishes.commands.emplace_back(ex::ResumeRun{}); }});
  } else {
    out.push_back(
        {"Pause", "T", [](PanelContext& c) { c.wishes.commands.emplace_back(ex::PauseRun{}); }});
  }
  out.push_back({"Stop with a checkpoint", "",
                 [](PanelContext& c) { c.wishes.commands.emplace_back(ex::StopAll{}); }});
}

std::vector<Action> actions_of(const PanelContext& context) {
  std::vector<Action> out;
  add_engine_actions(context, out);
  for (const Panel& panel : panels()) {
    const char* title = panel.title;
    out.push_back({std::string("Go to ") + title, panel.key,
                   [title](PanelContext& c) { c.wishes.show_panel = title; }});
  }
  out.push_back({"Filter runs", "Ctrl+F", [](PanelContext& c) {
                   c.wishes.show_panel = "Runs";
                   c.view.focus_filter = true;
                 }});
  out.push_back({"Fit all plots", "F", [](PanelContext& c) { c.view.free_plots.clear(); }});
  out.push_back({"Reset layout", "", [](PanelContext& c) { c.wishes.reset_layout = true; }});
  out.push_back({"Switch between dark and light", "", [](PanelContext& c) {
                   c.state.theme =
                       c.state.theme == ThemeKind::kDark ? ThemeKind::kLight : ThemeKind::kDark;
                   c.wishes.restyle = true;
                 }});
  out.push_back({"Quit", "Ctrl+Q", [](PanelContext& c) { c.wishes.close = true; }});
  for (const RunRow& row : context.rows) {
    const std::string id = row.id;
    out.push_back({"Run " + row.name, "", [id](PanelContext& c) {
                     c.state.focus = id;
                     c.state.follow_newest = false;
                     c.wishes.show_panel = "Live";
                   }});
  }
  return out;
}

bool contains_words(const std::string& text, const std::string& words) {
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return std::search(text.begin(), text.end(), words.begin(), words.end(), same) != text.end();
}

void draw_matches(PanelContext& context, bool enter) {
  constexpr int kMaxLines = 14;
  int shown = 0;
  for (const Action& action : actions_of(context)) {
    if (shown >= kMaxLines || !contains_words(action.title, context.view.palette_text)) {
      continue;
    }
    ImGui::PushID(shown);
    const bool pressed = ImGui::Selectable(action.title.c_str(), shown == 0);
    if (!action.key.empty()) {
      ImGui::SameLine();
      align_right(ImGui::CalcTextSize(action.key.c_str()).x);
      muted_text(context.theme, action.key);
    }
    ImGui::PopID();
    if (pressed || (enter && shown == 0)) {
      action.run(context);
      ImGui::CloseCurrentPopup();
    }
    ++shown;
  }
  if (shown == 0) {
    muted_text(context.theme, "nothing of that name");
  }
}

}  // namespace

void draw_palette(PanelContext& context) {
  if (context.view.palette_open) {
    ImGui::OpenPopup("palette");
    context.view.palette_open = false;
    context.view.palette_text.clear();
  }
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  ImGui::SetNextWindowPos({viewport->GetCenter().x, viewport->WorkPos.y + 60 * context.scale},
                          ImGuiCond_Always, {0.5f, 0.0f});
  ImGui::SetNextWindowSize({480 * context.scale, 0});
  if (!ImGui::BeginPopup("palette")) {
    return;
  }
  if (ImGui::IsWindowAppearing()) {
    ImGui::SetKeyboardFocusHere();
  }
  ImGui::SetNextItemWidth(-1);
  const bool enter =
      ImGui::InputTextWithHint("##find", "find an action or a run", &context.view.palette_text,
                               ImGuiInputTextFlags_EnterReturnsTrue);
  draw_matches(context, enter);
  ImGui::EndPopup();
}

}  // namespace lathe::ui
