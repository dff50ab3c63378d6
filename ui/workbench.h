// The window's content without a window: draws one frame from the snapshots and carries out what
// the person asked for. Runs the same under GLFW, in tests without a screen and in pictures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ui/model/live_view.h"
#include "ui/panels/panel.h"

namespace lathe::ui {

struct WorkbenchPorts {
  LiveView* live = nullptr;
  StoreDesk* desk = nullptr;
  SweepPreview* preview = nullptr;
  RankPreview* ranks = nullptr;
  StepPreview* steps = nullptr;
  experiments::CommandSink* commands = nullptr;
  std::string machine;                        // "2 CPU threads, no GPU"
  std::vector<std::string> installed_models;  // names under the models folder
  // Takes down the run or sweep that shall go on without the window, once it has stopped. Empty:
  // the close question does not offer it.
  std::function<void(const std::string& id)> detach;
};

class Workbench {
 public:
  // The ImGui and ImPlot contexts must exist. `screen_scale` is pixels per point.
  Workbench(WorkbenchPorts ports, UiState state, float screen_scale);

  // Between ImGui::NewFrame() and ImGui::Render(). `secs` since the former frame.
  void draw(double secs);

  // From the calibration thread's result, once.
  void set_sample(SampleOffer offer);
  void set_screen_scale(float scale);
  // The person wants to close the window: asks first if something trains.
  void request_close();
  bool may_close() const { return may_close_; }

  // Something moves: redraw at 10 to 20 Hz rather than on input alone.
  bool animated() const;
  // The state to be saved, with the layout as it is now.
  UiState state_to_save() const;
  UiState& state() { return state_; }
  SweepDraft& draft() { return draft_; }
  Scrubber& scrubber() { return scrubber_; }
  const LiveState& live() const { return *live_; }
  const std::vector<RunRow>& rows() const { return rows_; }
  // Median-like figure: building one frame's UI, in milliseconds, smoothed.
  double build_ms() const { return build_ms_; }

 private:
  void take_snapshots();
  void follow_focus();
  void choose_shown();
  void update_scrubber(double secs);
  void update_preview();
  void read_keys(PanelContext& context);
  void read_plain_keys(PanelContext& context);
  void draw_dock_space();
  void draw_panels(PanelContext& context);
  void draw_toast(PanelContext& context, double secs);
  void draw_close_question(PanelContext& context);
  void carry_out(Wishes& wishes);
  void start_sample();
  PanelContext context_for(Wishes& wishes);

  WorkbenchPorts ports_;
  UiState state_;
  float screen_scale_ = 1;
  Theme theme_;
  Fonts fonts_;
  SweepDraft draft_;
  Scrubber scrubber_;
  ViewMemory view_;
  std::shared_ptr<const LiveState> live_;
  std::shared_ptr<const StoreSnapshot> store_;
  std::shared_ptr<const PreviewResult> preview_;
  std::vector<RunRow> rows_;
  std::unordered_map<std::string, std::size_t> row_index_;
  std::uint64_t rows_revision_ = 0;
  std::vector<std::string> shown_;
  std::unique_ptr<SampleOffer> sample_;
  std::uint64_t previewed_revision_ = 0;
  std::string scrubbed_run_;
  std::string show_panel_;
  int show_after_layout_ = 0;  // frames
  std::string toast_;
  std::string toast_undo_;
  double toast_left_ = 0;
  bool sample_wanted_ = false;
  bool relayout_ = false;
  bool restyle_ = true;
  bool close_asked_ = false;
  bool closing_ = false;
  bool ctrl_held_ = false;  // in the former frame
  bool may_close_ = false;
  double build_ms_ = 0;
};

}  // namespace lathe::ui
