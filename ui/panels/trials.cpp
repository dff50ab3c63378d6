// The trials of a sweep before it runs: what each is, and what it will cost.
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>

#include "engine/base/format.h"
#include "experiments/run_spec.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

constexpr int kMaxAxisColumns = 4;

std::string_view last_part(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

void bytes_bar(PanelContext& context, std::int64_t bytes, std::int64_t most) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  const float share = most > 0 ? static_cast<float>(bytes) / static_cast<float>(most) : 0;
  ImGui::GetWindowDrawList()->AddRectFilled(
      at, {at.x + width * share, at.y + ImGui::GetTextLineHeight()},
      ImGui::GetColorU32(with_alpha(context.theme.accent, 0.25f)), 2);
  const std::string text = bytes_text(bytes);
  align_right(ImGui::CalcTextSize(text.c_str()).x);
  ImGui::TextUnformatted(text.c_str());
}

void number_cell(const std::string& text) {
  ImGui::TableNextColumn();
  align_right(ImGui::CalcTextSize(text.c_str()).x);
  ImGui::TextUnformatted(text.c_str());
}

void draw_trial(PanelContext& context, const ex::PlannedPoint& point,
                const std::vector<std::string>& axes, std::int64_t most) {
  const bool excluded = !point.excluded_because.empty();
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  if (excluded) {
    ImGui::PushStyleColor(ImGuiCol_Text, context.theme.muted);
  }
  ImGui::TextUnformatted(point.label.empty() ? std::to_string(point.index).c_str()
                                             : point.label.c_str());
  for (const std::string& axis : axes) {
    const Json value = ex::get_path(point.spec, axis);
    number_cell(value.is_string() ? value.get<std::string>()
                                  : (value.is_null() ? "-" : value.dump()));
  }
  ImGui::TableNextColumn();
  if (excluded && point.predicted_peak_bytes == 0) {
    ImGui::TextUnformatted(point.excluded_because.c_str());
    hint(point.excluded_because);
  } else {
    bytes_bar(context, point.predicted_peak_bytes, most);
    number_cell(count_text(static_cast<double>(point.predicted_params)));
    number_cell(bytes_text(point.predicted_stored_bytes));
    if (excluded) {
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(point.excluded_because.c_str());
      hint(point.excluded_because);
    }
  }
  if (excluded) {
    ImGui::PopStyleColor();
  }
}

void draw_table(PanelContext& context, const PreviewResult& preview) {
  std::vector<std::string> axes;
  for (const AxisDraft& axis : context.draft.axes()) {
    if (axes.size() < kMaxAxisColumns) {
      axes.push_back(axis.path);
    }
  }
  std::int64_t most = 0;
  for (const ex::PlannedPoint& point : preview.points) {
    most = std::max(most, point.predicted_peak_bytes);
  }
  constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg |
                                     ImGuiTableFlags_NoBordersInBody | ImGuiTableFlags_Resizable |
                                     ImGuiTableFlags_SizingStretchProp;
  const bool reasons = preview.excluded() > 0;
  const int columns = static_cast<int>(axes.size()) + (reasons ? 5 : 4);
  ImGui::PushID(columns);  // a table keeps its number of columns
  if (ImGui::BeginTable("trials", columns, kFlags)) {
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("trial", 0, 1.2f);
    for (const std::string& axis : axes) {
      ImGui::TableSetupColumn(std::string(last_part(axis)).c_str(), 0, 0.8f);
    }
    ImGui::TableSetupColumn("predicted peak", 0, 1.7f);
    ImGui::TableSetupColumn("params", 0, 1.0f);
    ImGui::TableSetupColumn("stored", 0, 1.0f);
    if (reasons) {
      ImGui::TableSetupColumn("left out because", 0, 1.6f);
    }
    ImGui::TableHeadersRow();
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(preview.points.size()));
    while (clipper.Step()) {
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
        draw_trial(context, preview.points[static_cast<std::size_t>(i)], axes, most);
      }
    }
    ImGui::EndTable();
  }
  ImGui::PopID();
}

}  // namespace

void draw_trials(PanelContext& context) {
  const Result<ex::SweepSpec> spec = context.draft.spec();
  if (!spec) {
    error_card(context, spec.error().message, spec.error().remedy);
    return;
  }
  if (context.preview == nullptr) {
    empty_state(context, "Predicting", "Each trial's peak and parameters appear here.");
    return;
  }
  if (context.preview->error) {
    error_card(context, context.preview->error->message, context.preview->error->remedy);
    return;
  }
  if (context.draft.axes().empty()) {
    muted_text(context.theme,
               "One trial. Press the sliders beside a parameter to try several values.");
  }
  draw_table(context, *context.preview);
}

}  // namespace lathe::ui
