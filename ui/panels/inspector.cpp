// The inspector: all about the run in focus, with the values at the cursor of the time strip and
// what can be done with it.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <cmath>

#include "engine/base/format.h"
#include "experiments/run_spec.h"
#include "ui/model/value_text.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

bool begin_pairs(const char* id) {
  if (!ImGui::BeginTable(id, 2, ImGuiTableFlags_SizingStretchProp)) {
    return false;
  }
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthStretch, 1.1f);
  ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch, 1.0f);
  return true;
}

void pair(const PanelContext& context, const std::string& name, const std::string& value) {
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  muted_text(context.theme, name);
  ImGui::TableNextColumn();
  ImGui::TextUnformatted(value.c_str());
  hint(ImGui::CalcTextSize(value.c_str()).x > ImGui::GetColumnWidth() ? value : std::string());
}

// Evaluations and decompositions are measured, not trained: no steps, nothing to resume or to
// replay.
bool is_measurement(const RunRow& row) {
  return row.kind == "eval" || row.kind == "compress";
}

void draw_head(PanelContext& context, const RunRow& row) {
  swatch(context.run_color(row.id), 12 * context.scale);
  ImGui::SameLine();
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.15f);
  ImGui::TextUnformatted(row.name.c_str());
  ImGui::PopFont();
  state_badge(context.theme, row.state);
  if (!is_measurement(row)) {
    ImGui::SameLine();
    muted_text(context.theme, row.total_steps > 0
                                  ? fmt::format("step {} of {}", row.step, row.total_steps)
                                  : fmt::format("step {}", row.step));
  }
  if (row.total_steps > 0 && !is_measurement(row)) {
    ImGui::ProgressBar(static_cast<float>(row.progress()), {-1, 4 * context.scale}, "");
  }
  if (!row.error.empty()) {
    error_card(context, row.error, row.remedy);
  }
}

void draw_actions(PanelContext& context, const RunRow& row) {
  const bool ended = row.state != RunState::kRunning && row.state != RunState::kPaused &&
                     row.state != RunState::kQueued;
  if (!ended || is_measurement(row)) {
    return;
  }
  ImGui::BeginDisabled(context.live.busy);
  if (row.state != RunState::kDone && ImGui::Button("Resume")) {
    context.wishes.commands.emplace_back(ex::ContinueStored{row.id});
  }
  if (row.state == RunState::kFailed && !row.sweep.empty()) {
    ImGui::SameLine();
    if (ImGui::Button("Retry failed")) {
      context.wishes.commands.emplace_back(ex::RetryFailed{row.sweep});
    }
  }
  if (row.state == RunState::kDone && ImGui::Button("Replay and verify")) {
    context.wishes.commands.emplace_back(ex::ReplayStored{row.id, true});
  }
  hint("Runs it again from its record and compares every metric bit for bit");
  ImGui::EndDisabled();
  const LiveRun* live = context.live.find(row.id);
  if (live != nullptr && !live->verdict.empty()) {
    colored_text(live->verdict == "exact" ? context.theme.good : context.theme.warning,
                 "replay: " + live->verdict);
  }
}

void draw_values(PanelContext& context, const RunRow& row) {
  const bool at_cursor = !context.scrubber.live();
  const double step = context.scrubber.step();
  ImGui::SeparatorText(at_cursor ? fmt::format("values at step {:.0f}", step).c_str()
                                 : "latest values");
  if (!begin_pairs("values")) {
    return;
  }
  for (const std::string_view group : {"task/", "eval/", "train/", "perf/", "model/", "mem/"}) {
    for (const auto& [metric, last] : row.last) {
      if (metric.rfind(group, 0) != 0) {
        continue;
      }
      double value = last;
      if (at_cursor) {
        const auto series = series_of(context.store, context.live, row.id, metric);
        value = series ? series->value_at(step, NAN) : NAN;
      }
      if (group != "mem/" || !(value <= 0)) {  // categories that hold nothing are left out
        pair(context, metric, metric_text(metric, value));
      }
    }
  }
  ImGui::EndTable();
}

void draw_memory(PanelContext& context, const RunRow& row) {
  ImGui::SeparatorText("memory");
  if (!begin_pairs("memory")) {
    return;
  }
  if (row.predicted_peak_bytes > 0) {
    pair(context, "predicted peak", bytes_text(row.predicted_peak_bytes));
  }
  pair(context, "measured peak", row.peak_bytes > 0 ? bytes_text(row.peak_bytes) : "-");
  if (row.peak_bytes > 0 && row.predicted_peak_bytes > 0) {
    const std::int64_t off = row.peak_bytes - row.predicted_peak_bytes;
    pair(context, "difference", off == 0 ? "none, to the byte" : bytes_text(off));
  }
  ImGui::EndTable();
}

void draw_spec(PanelContext& context, const RunRow& row) {
  ImGui::SeparatorText("differs from the defaults");
  if (!row.spec) {
    muted_text(context.theme, "reading");
    return;
  }
  static const Json kDefaults = ex::to_json(ex::RunSpec{});
  if (!begin_pairs("spec")) {
    return;
  }
  for (const ParamInfo& param : ex::run_spec_params()) {
    const Json value = ex::get_path(*row.spec, param.path);
    if (param.path != "name" && !value.is_null() && value != ex::get_path(kDefaults, param.path)) {
      constexpr std::string_view kMethod = "method.";
      const bool of_method = param.path.rfind(kMethod, 0) == 0;
      pair(context, of_method ? param.path.substr(kMethod.size()) : param.path,
           value.is_string() ? value.get<std::string>() : value.dump());
      hint(param.help);
    }
  }
  ImGui::EndTable();
}

// What was set, that of sections within as "quant.bits".
void draw_settings(PanelContext& context, const Json& values, const std::string& prefix = "") {
  for (const auto& [key, value] : values.items()) {
    if (value.is_object()) {
      draw_settings(context, value, prefix + key + ".");
    } else if (value != "" && value != 0 && value != false && value != Json::array()) {
      pair(context, prefix + key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

// Of layers that were rounded and not decomposed: without what is said of ranks.
Json without_ranks(const Json& compress) {
  Json kept = Json::object();
  for (const char* key : {"target", "quant", "heldout_windows", "calibration", "data"}) {
    if (compress.contains(key)) {
      kept[key] = compress[key];
    }
  }
  return kept;
}

// What an evaluation measured: its rule, its model and data, and what was set.
void draw_measurement(PanelContext& context, const RunRow& row) {
  const Json compress = row.spec ? ex::get_path(*row.spec, "compress") : Json();
  const bool rounds = compress.is_object() && !compress.value("decompose", true);
  ImGui::SeparatorText(row.kind == "eval" ? "evaluation" : rounds ? "rounding" : "decomposition");
  if (!row.spec) {
    muted_text(context.theme, "reading");
    return;
  }
  if (const std::string rule = row.spec->value("rule", ""); !rule.empty()) {
    ImGui::TextWrapped("%s", rule.c_str());
  }
  if (!begin_pairs("measurement")) {
    return;
  }
  for (const char* section : {"subject", "eval"}) {
    draw_settings(context, ex::get_path(*row.spec, section));  // null where there is none
  }
  draw_settings(context, rounds ? without_ranks(compress) : compress);
  ImGui::EndTable();
}

void draw_notes(PanelContext& context, const RunRow& row) {
  ImGui::SeparatorText("tags and note");
  std::string removed;
  for (const std::string& tag : row.tags) {
    if (ImGui::SmallButton((std::string(icon::kTag) + " " + tag).c_str())) {
      removed = tag;
    }
    hint("click to remove this tag");
    ImGui::SameLine();
  }
  if (!removed.empty()) {
    std::vector<std::string> tags = row.tags;
    std::erase(tags, removed);
    context.wishes.edits.emplace_back(SetTags{row.id, tags});
  }
  ImGui::SetNextItemWidth(-1);
  if (ImGui::InputTextWithHint("##add_tag", "add a tag, Enter", &context.view.tag_text,
                               ImGuiInputTextFlags_EnterReturnsTrue) &&
      !context.view.tag_text.empty()) {
    std::vector<std::string> tags = row.tags;
    if (!contains(tags, context.view.tag_text)) {
      tags.push_back(context.view.tag_text);
      context.wishes.edits.emplace_back(SetTags{row.id, tags});
    }
    context.view.tag_text.clear();
  }
  if (context.view.note_run != row.id) {
    context.view.note_run = row.id;
    context.view.note_text = row.note;
  }
  ImGui::InputTextMultiline("##note", &context.view.note_text,
                            {-1, ImGui::GetTextLineHeight() * 4});
  if (ImGui::IsItemDeactivatedAfterEdit()) {
    context.wishes.edits.emplace_back(SetNote{row.id, context.view.note_text});
  }
}

}  // namespace

void draw_inspector(PanelContext& context) {
  const RunRow* row = context.find_row(context.state.focus);
  if (row == nullptr) {
    empty_state(context, "No run in focus", "Click a run to see its numbers here.");
    return;
  }
  draw_head(context, *row);
  draw_actions(context, *row);
  if (is_measurement(*row)) {  // what was asked first
    draw_values(context, *row);
    draw_memory(context, *row);
  } else {
    draw_memory(context, *row);
    draw_values(context, *row);
  }
  is_measurement(*row) ? draw_measurement(context, *row) : draw_spec(context, *row);
  draw_notes(context, *row);
}

}  // namespace lathe::ui
