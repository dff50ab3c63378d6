// What a panel gets to see and do. A panel draws from constant snapshots and leaves wishes behind;
// it cannot reach the engine or the store even by accident.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/events.h"
#include "ui/model/live_state.h"
#include "ui/model/model_forms.h"
#include "ui/model/quant_view.h"
#include "ui/model/rank_preview.h"
#include "ui/model/run_list.h"
#include "ui/model/sample_offer.h"
#include "ui/model/scrubber.h"
#include "ui/model/spectrum_view.h"
#include "ui/model/step_preview.h"
#include "ui/model/store_desk.h"
#include "ui/model/sweep_draft.h"
#include "ui/model/sweep_preview.h"
#include "ui/model/ui_state.h"
#include "ui/model/weight_palettes.h"
#include "ui/theme.h"

namespace lathe::ui {

// Wishes of a frame; the workbench carries them out after drawing.
struct Wishes {
  std::vector<experiments::Command> commands;
  std::vector<StoreEdit> edits;
  std::string show_panel;  // bring this panel to the front
  std::string toast;       // short message
  std::string undo_trash;  // run that the toast's Undo restores
  bool run_sample = false;
  bool reset_layout = false;
  bool restyle = false;  // theme or scale changed
  bool close = false;

  void toggle_pause(bool paused) {
    if (paused) {
      commands.emplace_back(experiments::ResumeRun{});
    } else {
      commands.emplace_back(experiments::PauseRun{});
    }
  }
};

// What a window holds between frames but not between starts.
struct ViewMemory {
  std::map<std::string, bool> free_plots;  // metric -> the person panned or zoomed
  double hover_step = -1;                  // shared by all time plots of the frame; -1 none
  double next_hover_step = -1;
  std::set<std::string> trash_asked;  // runs waiting for the confirmation
  std::string tag_text;
  std::string note_text;
  std::string note_run;
  std::string palette_text;
  bool palette_open = false;
  bool focus_filter = false;
  std::string compare_metric = "eval/loss";
  std::string model_path;  // being typed
  EvaluationForm evaluation;
  FineTuneForm fine_tune;
  ExportForm export_form;
  PlaygroundForm playground;
  SpectrumForm spectrum;
  QuantForm quant;
  PaletteForm palettes;
  bool memory_planned = false;       // the Memory panel shows the settings, not the run in focus
  std::string memory_other;          // run that it compares with
  std::string table_key;             // what `table` was made for
  std::vector<const RunRow*> table;  // filtered and sorted rows
};

struct PanelContext {
  const LiveState& live;
  const StoreSnapshot& store;
  const std::vector<RunRow>& rows;  // all runs
  std::uint64_t rows_revision;
  const std::unordered_map<std::string, std::size_t>& row_index;  // id -> place in rows
  const std::vector<std::string>& shown;                          // runs that plots draw, in order
  const PreviewResult* preview;                                   // null before the first
  bool preview_pending;
  RankPreview& ranks;
  StepPreview& steps;
  const SampleOffer* sample;                         // null while the machine is being measured
  const std::string& machine;                        // "2 CPU threads, no GPU"
  const std::vector<std::string>& installed_models;  // names under the models folder
  double build_ms;                                   // to build one frame, smoothed
  const Theme& theme;
  const Fonts& fonts;
  float scale;
  UiState& state;
  SweepDraft& draft;
  Scrubber& scrubber;
  ViewMemory& view;
  Wishes& wishes;

  const RunRow* find_row(const std::string& run) const;
  ImVec4 run_color(const std::string& run) const;
};

struct Panel {
  const char* title;  // also its name in the layout
  const char* key;    // "0" .. "9" bring it to the front; "" none
  void (*draw)(PanelContext&);
};

// All dockable panels, one line each.
std::span<const Panel> panels();

void draw_compare(PanelContext& context);
void draw_inspector(PanelContext& context);
void draw_live_plots(PanelContext& context);
void draw_log(PanelContext& context);
void draw_memory(PanelContext& context);
void draw_memory_plot(PanelContext& context, float height);
void draw_model_actions(PanelContext& context, const ModelFacts& facts);
void draw_models(PanelContext& context);
void draw_playground(PanelContext& context);
void draw_problems(PanelContext& context);
void draw_quantization(PanelContext& context);
void draw_run_table(PanelContext& context);
void draw_setup(PanelContext& context);
void draw_spectrum(PanelContext& context);
void draw_sweep_editor(PanelContext& context);
void draw_trials(PanelContext& context);
void draw_weight_palettes(PanelContext& context);

// Fixed bars around the docking area.
void draw_top_bar(PanelContext& context);
void draw_time_strip(PanelContext& context);
void draw_palette(PanelContext& context);

}  // namespace lathe::ui
