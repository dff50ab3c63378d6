// A frame: take snapshots, draw, then carry out the wishes. No lock is held while drawing.
#include "ui/workbench.h"

#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "ui/layout.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

constexpr const char* kDockSpace = "workspace";
constexpr double kToastSecs = 6;

float scale_of(const UiState& state, float screen_scale) {
  return std::clamp(static_cast<float>(state.scale) * screen_scale, 0.5f, 6.0f);
}

}  // namespace

Workbench::Workbench(WorkbenchPorts ports, UiState state, float screen_scale)
    : ports_(std::move(ports)), state_(std::move(state)), screen_scale_(screen_scale) {
  ImGuiIO& io = ImGui::GetIO();
  io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
  io.IniFilename = nullptr;  // the layout travels in UiState
  io.ConfigWindowsMoveFromTitleBarOnly = true;
  fonts_ = load_fonts();
  theme_ = make_theme(state_.theme);
  apply_theme(theme_, scale_of(state_, screen_scale_));
  if (!state_.layout.empty()) {
    ImGui::LoadIniSettingsFromMemory(state_.layout.c_str(), state_.layout.size());
  } else {
    relayout_ = true;
  }
  if (!state_.sweep_draft.empty()) {
    draft_.restore(state_.sweep_draft);
  }
  take_snapshots();
}

PanelContext Workbench::context_for(Wishes& wishes) {
  return PanelContext{.live = *live_,
                      .store = *store_,
                      .rows = rows_,
                      .rows_revision = rows_revision_,
                      .row_index = row_index_,
                      .shown = shown_,
                      .preview = preview_.get(),
                      .preview_pending = ports_.preview->pending(),
                      .ranks = *ports_.ranks,
                      .steps = *ports_.steps,
                      .sample = sample_.get(),
                      .machine = ports_.machine,
                      .installed_models = ports_.installed_models,
                      .build_ms = build_ms_,
                      .theme = theme_,
                      .fonts = fonts_,
                      .scale = scale_of(state_, screen_scale_),
                      .state = state_,
                      .draft = draft_,
                      .scrubber = scrubber_,
                      .view = view_,
                      .wishes = wishes};
}

void Workbench::draw(double secs) {
  const auto begin = std::chrono::steady_clock::now();
  if (std::exchange(restyle_, false)) {
    theme_ = make_theme(state_.theme);
    apply_theme(theme_, scale_of(state_, screen_scale_));
  }
  take_snapshots();
  follow_focus();
  choose_shown();
  update_scrubber(secs);
  update_preview();
  view_.hover_step = std::exchange(view_.next_hover_step, -1);
  Wishes wishes;
  PanelContext context = context_for(wishes);
  ImGui::PushFont(fonts_.text, 0.0f);
  read_keys(context);
  draw_top_bar(context);
  draw_time_strip(context);
  draw_dock_space();
  draw_panels(context);
  draw_palette(context);
  draw_toast(context, secs);
  draw_close_question(context);
  ImGui::PopFont();
  carry_out(wishes);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  build_ms_ = build_ms_ == 0 ? spent.count() : 0.95 * build_ms_ + 0.05 * spent.count();
}

void Workbench::draw_dock_space() {
  const ImGuiID id = ImGui::GetID(kDockSpace);
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  if (std::exchange(relayout_, false) || ImGui::DockBuilderGetNode(id) == nullptr) {
    build_layout(id, viewport->WorkSize);
    show_after_layout_ = 2;
  }
  // A tab can be brought to the front once its window has been docked.
  if (show_after_layout_ > 0 && --show_after_layout_ == 0) {
    ImGui::SetWindowFocus("Log");
    show_panel_ = "Live";
  }
  ImGui::DockSpaceOverViewport(id, viewport, ImGuiDockNodeFlags_NoWindowMenuButton);
}

void Workbench::draw_panels(PanelContext& context) {
  const ImGuiDockNode* middle = ImGui::DockBuilderGetCentralNode(ImGui::GetID(kDockSpace));
  for (const Panel& panel : panels()) {
    if (middle != nullptr) {
      // A panel that a saved layout of an older version does not know.
      ImGui::SetNextWindowDockID(middle->ID, ImGuiCond_FirstUseEver);
    }
    if (show_panel_ == panel.title && ImGui::FindWindowByName(panel.title) != nullptr) {
      ImGui::SetNextWindowFocus();
      show_panel_.clear();
    }
    if (ImGui::Begin(panel.title, nullptr, ImGuiWindowFlags_NoCollapse)) {
      panel.draw(context);
    }
    ImGui::End();
  }
}

void Workbench::draw_toast(PanelContext& context, double secs) {
  toast_left_ -= secs;
  if (toast_left_ <= 0) {
    return;
  }
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  const ImVec2 at{viewport->WorkPos.x + viewport->WorkSize.x * 0.5f,
                  viewport->WorkPos.y + viewport->WorkSize.y - 16 * context.scale};
  ImGui::SetNextWindowPos(at, ImGuiCond_Always, {0.5f, 1.0f});
  ImGui::Begin("##toast", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoDocking |
                   ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoNav);
  ImGui::BringWindowToDisplayFront(ImGui::GetCurrentWindow());
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(toast_.c_str());
  if (!toast_undo_.empty()) {
    ImGui::SameLine();
    if (ImGui::Button("Undo")) {
      context.wishes.edits.emplace_back(RestoreRun{toast_undo_});
      toast_left_ = 0;
    }
  }
  ImGui::End();
}

void Workbench::draw_close_question(PanelContext& context) {
  if (std::exchange(close_asked_, false)) {
    ImGui::OpenPopup("Something is training");
  }
  if (closing_ && !live_->busy) {
    may_close_ = true;
  }
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Appearing, {0.5f, 0.5f});
  if (!ImGui::BeginPopupModal("Something is training", nullptr,
                              ImGuiWindowFlags_AlwaysAutoResize)) {
    return;
  }
  if (closing_) {
    ImGui::TextUnformatted("Saving a checkpoint after this step, then closing.");
  } else {
    ImGui::TextUnformatted("All that is recorded so far is safe. What shall happen to the rest?");
    if (primary_button(context.theme, "Stop with a checkpoint")) {
      closing_ = true;
      context.wishes.commands.emplace_back(ex::StopAll{});
    }
    if (ports_.detach) {
      ImGui::SameLine();
      if (ImGui::Button("Keep running without a window")) {
        closing_ = true;
        const bool sweeps = live_->sweep && !live_->sweep->finished;
        ports_.detach(sweeps ? live_->sweep->id : live_->active);
        context.wishes.commands.emplace_back(ex::StopAll{});
      }
    }
    ImGui::SameLine();
    if (ImGui::Button("Stay here") || ImGui::IsKeyPressed(ImGuiKey_Escape)) {
      ImGui::CloseCurrentPopup();
    }
  }
  ImGui::EndPopup();
}

void Workbench::carry_out(Wishes& wishes) {
  if (wishes.run_sample) {
    sample_wanted_ = true;
  }
  if (sample_wanted_ && sample_ && !live_->busy) {
    start_sample();
  }
  for (ex::Command& command : wishes.commands) {
    const bool starts = std::holds_alternative<ex::StartRun>(command) ||
                        std::holds_alternative<ex::StartSweep>(command);
    if (starts) {
      ports_.live->expect_work();
      state_.follow_newest = true;
      state_.compared.clear();
    }
    ports_.live->expect_job(command);
    ports_.commands->send(std::move(command));
  }
  for (StoreEdit& edit : wishes.edits) {
    ports_.desk->edit(std::move(edit));
  }
  if (!wishes.toast.empty()) {
    toast_ = wishes.toast;
    toast_undo_ = wishes.undo_trash;
    toast_left_ = kToastSecs;
  }
  if (!wishes.show_panel.empty()) {
    show_panel_ = wishes.show_panel;
  }
  relayout_ = relayout_ || wishes.reset_layout;
  restyle_ = restyle_ || wishes.restyle;
  if (wishes.close) {
    request_close();
  }
}

void Workbench::start_sample() {
  sample_wanted_ = false;
  ports_.live->expect_work();
  state_.follow_newest = true;
  state_.compared.clear();
  show_panel_ = "Live";
  static_cast<void>(draft_.load(sample_->sweep));
  ports_.commands->send(ex::StartSweep{sample_->sweep});
}

void Workbench::set_sample(SampleOffer offer) {
  if (state_.sweep_draft.empty() && draft_.axes().empty()) {
    // The editor opens with the sample, so that a first change has something to start from.
    const Result<void> loaded = draft_.load(offer.sweep);
    if (!loaded) {
      ports_.live->note(ex::LogLevel::kWarning, loaded.error().text());
    }
  }
  sample_ = std::make_unique<SampleOffer>(std::move(offer));
}

void Workbench::set_screen_scale(float scale) {
  restyle_ = restyle_ || scale != screen_scale_;
  screen_scale_ = scale;
}

void Workbench::request_close() {
  if (live_->busy) {
    close_asked_ = true;
  } else {
    may_close_ = true;
  }
}

bool Workbench::animated() const {
  return live_->busy || live_->models->busy() || scrubber_.playing() || toast_left_ > 0 ||
         closing_ || ports_.preview->pending() || ports_.ranks->pending() ||
         ports_.steps->pending();
}

UiState Workbench::state_to_save() const {
  UiState state = state_;
  state.layout = ImGui::SaveIniSettingsToMemory();
  state.sweep_draft = draft_.to_text();
  return state;
}

}  // namespace lathe::ui
