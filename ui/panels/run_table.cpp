// The runs: sort, filter, tick for comparison, tag, move to the trash and back.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/format.h"
#include "ui/model/run_filter.h"
#include "ui/model/value_text.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

struct Column {
  const char* title;
  const char* key;
  bool shown;            // at first start
  float width;           // in points; 0: what is left
  float from_width = 0;  // in points: the narrowest table that begins with it
};
constexpr std::array<Column, 11> kColumns{{{"run", "name", true, 0},
                                           {"state", "state", true, 92},
                                           {"held-out", "eval/loss", true, 58},
                                           {"loss", "train/loss", false, 58},
                                           {"params", "model/params", true, 54, 330},
                                           {"peak", "peak", true, 62, 400},
                                           {"tokens/s", "perf/tokens_per_s", false, 62},
                                           {"accuracy", "eval/acc", false, 66},
                                           {"sweep", "sweep", false, 80},
                                           {"tags", "tags", false, 80},
                                           {"created", "created", false, 130}}};

std::string cell_text(const RunRow& row, const Column& column) {
  const std::string_view key = column.key;
  const double number = number_of(row, key);
  if (key == "created") {
    return row.created_ms > 0 ? time_text(row.created_ms) : "-";
  }
  return key == "name" || key == "sweep" || key == "tags" ? text_of(row, key)
                                                          : metric_text(key, number);
}

// Worked out again only when the rows, the filter or the order changed.
const std::vector<const RunRow*>& visible_rows(PanelContext& context, const RunFilter& filter) {
  const UiState& state = context.state;
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}", context.rows_revision, state.filter,
                                      state.sort_by, state.sort_descending, state.with_trash);
  std::vector<const RunRow*>& table = context.view.table;
  if (key == context.view.table_key) {
    return table;
  }
  table.clear();
  for (const RunRow& row : context.rows) {
    if (row.trashed == state.with_trash && filter.matches(row)) {
      table.push_back(&row);
    }
  }
  sort_rows(table, state.sort_by, state.sort_descending);
  context.view.table_key = key;
  return table;
}

void draw_filter(PanelContext& context) {
  if (context.view.focus_filter) {
    ImGui::SetKeyboardFocusHere();
    context.view.focus_filter = false;
  }
  ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - 96 * context.scale);
  ImGui::InputTextWithHint("##filter", "filter: words, or rank>=8 and eval/loss<4",
                           &context.state.filter);
  hint(
      "Words must occur in name, sweep, tags, state or note. Conditions compare parameters, "
      "metrics and columns: rank>=8 and eval/ppl<20 tag:good peak<2GiB. Ctrl+F comes here.");
  ImGui::SameLine();
  ImGui::Checkbox("trash", &context.state.with_trash);
}

void draw_actions(PanelContext& context, const std::vector<const RunRow*>& visible) {
  const std::size_t ticked = context.state.compared.size();
  ImGui::BeginDisabled(ticked < 2);
  const std::string compare = ticked < 2 ? "Compare" : fmt::format("Compare {}", ticked);
  if (ImGui::Button((compare + "###compare").c_str())) {
    context.wishes.show_panel = "Compare";
  }
  ImGui::EndDisabled();
  hint("Tick two or more runs, then compare their curves and specs");
  ImGui::SameLine();
  if (ImGui::Button(ticked == 0 ? "Tick all###tick" : "Untick###tick")) {
    if (ticked > 0) {
      context.state.compared.clear();
    } else {
      for (const RunRow* row : visible) {
        context.state.compared.push_back(row->id);
      }
    }
  }
  ImGui::SameLine();
  const RunRow* focus = context.find_row(context.state.focus);
  ImGui::BeginDisabled(focus == nullptr);
  if (focus != nullptr && focus->trashed) {
    if (ImGui::Button((std::string(icon::kUndo) + "  Restore###delete").c_str())) {
      context.wishes.edits.emplace_back(RestoreRun{focus->id});
    }
  } else if (ImGui::Button((std::string(icon::kTrash) + "  Delete###delete").c_str())) {
    ImGui::OpenPopup("Move to the trash?");
    context.view.trash_asked = {context.state.focus};
  }
  ImGui::EndDisabled();
  hint("Moves the run in focus to the trash; it can be brought back");
}

void draw_trash_question(PanelContext& context) {
  if (!ImGui::BeginPopupModal("Move to the trash?", nullptr, ImGuiWindowFlags_AlwaysAutoResize)) {
    return;
  }
  for (const std::string& run : context.view.trash_asked) {
    const RunRow* row = context.find_row(run);
    ImGui::TextUnformatted(row == nullptr ? run.c_str() : row->name.c_str());
  }
  muted_text(context.theme, "Its curves and checkpoints stay until the trash is emptied.");
  if (primary_button(context.theme, "Move to the trash")) {
    for (const std::string& run : context.view.trash_asked) {
      context.wishes.edits.emplace_back(TrashRun{run});
      std::erase(context.state.compared, run);
      const RunRow* row = context.find_row(run);
      context.wishes.toast = (row == nullptr ? run : row->name) + " is in the trash";
      context.wishes.undo_trash = run;
    }
    ImGui::CloseCurrentPopup();
  }
  ImGui::SameLine();
  if (ImGui::Button("Keep it") || ImGui::IsKeyPressed(ImGuiKey_Escape)) {
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndPopup();
}

void draw_context_menu(PanelContext& context, const RunRow& row) {
  if (!ImGui::BeginPopupContextItem("actions")) {
    return;
  }
  const bool ended = row.state != RunState::kRunning && row.state != RunState::kPaused;
  if (ImGui::MenuItem("Resume", nullptr, false, ended && row.state != RunState::kDone)) {
    context.wishes.commands.emplace_back(ex::ContinueStored{row.id});
  }
  if (ImGui::MenuItem("Retry failed points", nullptr, false,
                      row.state == RunState::kFailed && !row.sweep.empty())) {
    context.wishes.commands.emplace_back(ex::RetryFailed{row.sweep});
  }
  if (ImGui::MenuItem("Replay and verify", nullptr, false, ended)) {
    context.wishes.commands.emplace_back(ex::ReplayStored{row.id, true});
  }
  if (ImGui::MenuItem("Use its settings in Sweep", nullptr, false, row.spec != nullptr)) {
    const Result<void> loaded = context.draft.load(*row.spec);
    context.wishes.toast = loaded ? "Settings of " + row.name : loaded.error().text();
    context.wishes.show_panel = "Sweep";
  }
  ImGui::Separator();
  ImGui::SetNextItemWidth(160 * context.scale);
  if (ImGui::InputTextWithHint("##tag", "add a tag, Enter", &context.view.tag_text,
                               ImGuiInputTextFlags_EnterReturnsTrue)) {
    std::vector<std::string> tags = row.tags;
    tags.push_back(context.view.tag_text);
    context.wishes.edits.emplace_back(SetTags{row.id, tags});
    context.view.tag_text.clear();
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndPopup();
}

void draw_name_cell(PanelContext& context, const RunRow& row) {
  swatch(context.theme.runs[color_index(row, kRunColors)], 10 * context.scale);
  ImGui::SameLine();
  const bool focused = row.id == context.state.focus;
  if (ImGui::Selectable((row.name + "###row").c_str(), focused,
                        ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowOverlap)) {
    if (ImGui::GetIO().KeyCtrl) {
      toggle(context.state.compared, row.id);
    } else {
      context.state.focus = row.id;
      context.state.follow_newest = false;
      context.scrubber.go_live();
    }
  }
  if (!row.error.empty()) {
    hint(row.error + (row.remedy.empty() ? "" : "; " + row.remedy));
  }
  draw_context_menu(context, row);
}

void draw_row(PanelContext& context, const RunRow& row) {
  ImGui::TableNextRow();
  ImGui::PushID(row.id.c_str());
  ImGui::TableNextColumn();
  bool ticked = contains(context.state.compared, row.id);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(1, 1));
  if (ImGui::Checkbox("##tick", &ticked)) {
    toggle(context.state.compared, row.id);
  }
  ImGui::PopStyleVar();
  for (const Column& column : kColumns) {
    if (!ImGui::TableNextColumn()) {
      continue;
    }
    const std::string_view key = column.key;
    if (key == "state") {
      state_badge(context.theme, row.state);
      if (row.state == RunState::kRunning) {
        ImGui::SameLine();
        muted_text(context.theme, fmt::format("{:.0f}%", row.progress() * 100));
      }
    } else if (key == "name") {
      draw_name_cell(context, row);
    } else {
      const std::string text = cell_text(row, column);
      if (key != "sweep" && key != "tags" && key != "created") {
        align_right(ImGui::CalcTextSize(text.c_str()).x);
      }
      ImGui::TextUnformatted(text.c_str());
    }
  }
  ImGui::PopID();
}

void setup_columns(const PanelContext& context) {
  const float points = ImGui::GetWindowWidth() / context.scale;
  ImGui::TableSetupScrollFreeze(0, 1);
  ImGui::TableSetupColumn("##compare",
                          ImGuiTableColumnFlags_WidthFixed | ImGuiTableColumnFlags_NoSort |
                              ImGuiTableColumnFlags_NoHide | ImGuiTableColumnFlags_NoResize,
                          ImGui::GetTextLineHeight() + 4 * context.scale);
  for (const Column& column : kColumns) {
    ImGuiTableColumnFlags flags =
        column.width > 0 ? ImGuiTableColumnFlags_WidthFixed : ImGuiTableColumnFlags_WidthStretch;
    // A narrow table begins with fewer columns rather than without room for names.
    const bool fits = points >= column.from_width;
    flags |= column.shown && fits ? 0 : ImGuiTableColumnFlags_DefaultHide;
    ImGui::TableSetupColumn(column.title, flags, column.width * context.scale);
  }
  ImGui::TableHeadersRow();
}

void take_sorting(PanelContext& context) {
  ImGuiTableSortSpecs* specs = ImGui::TableGetSortSpecs();
  if (specs == nullptr || !specs->SpecsDirty) {
    return;
  }
  if (specs->SpecsCount > 0) {
    const auto column = static_cast<std::size_t>(specs->Specs[0].ColumnIndex) - 1;
    context.state.sort_by = kColumns[std::min(column, kColumns.size() - 1)].key;
    context.state.sort_descending = specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
  } else {
    context.state.sort_by = "created";
    context.state.sort_descending = true;
  }
  specs->SpecsDirty = false;
}

void draw_nothing_found(PanelContext& context, const RunFilter& filter) {
  if (context.state.with_trash) {
    empty_state(context, "The trash is empty", "Untick trash to see the runs.");
    return;
  }
  const std::vector<std::string> unknown = filter.unknown_keys(context.rows);
  empty_state(context, fmt::format("0 of {} runs match", context.rows.size()),
              unknown.empty()
                  ? "Loosen the filter or clear it."
                  : fmt::format("No run has a value for {}.", fmt::join(unknown, ", ")));
  const float width = ImGui::CalcTextSize("Clear filter").x + 16 * context.scale;
  ImGui::SetCursorPosX((ImGui::GetWindowWidth() - width) * 0.5f);
  if (ImGui::Button("Clear filter")) {
    context.state.filter.clear();
  }
}

}  // namespace

void draw_run_table(PanelContext& context) {
  if (context.rows.empty()) {
    empty_state(context, "No runs yet", "Runs of this and of earlier sessions are listed here.");
    return;
  }
  const RunFilter filter(context.state.filter);
  const std::vector<const RunRow*>& visible = visible_rows(context, filter);
  draw_filter(context);
  draw_actions(context, visible);
  draw_trash_question(context);
  if (visible.empty()) {
    draw_nothing_found(context, filter);
    return;
  }
  constexpr ImGuiTableFlags kFlags =
      ImGuiTableFlags_Sortable | ImGuiTableFlags_SortTristate | ImGuiTableFlags_Resizable |
      ImGuiTableFlags_Hideable | ImGuiTableFlags_Reorderable | ImGuiTableFlags_ScrollY |
      ImGuiTableFlags_RowBg | ImGuiTableFlags_NoBordersInBody | ImGuiTableFlags_PadOuterX;
  if (!ImGui::BeginTable("runs", static_cast<int>(kColumns.size()) + 1, kFlags)) {
    return;
  }
  setup_columns(context);
  take_sorting(context);
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(visible.size()));
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      draw_row(context, *visible[static_cast<std::size_t>(i)]);
    }
  }
  ImGui::EndTable();
}

}  // namespace lathe::ui
