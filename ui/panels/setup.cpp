// Setup: one run. The same parameters as in the sweep editor, and what it would cost, at once.
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>

#include "engine/base/format.h"
#include "ui/model/value_text.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/param_editor.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void big_number(PanelContext& context, const std::string& title, const std::string& value,
                const std::string& help) {
  ImGui::BeginGroup();
  muted_text(context.theme, title);
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.45f);
  ImGui::TextUnformatted(value.c_str());
  ImGui::PopFont();
  ImGui::EndGroup();
  hint(help);
}

void draw_against_best(PanelContext& context, const ex::PlannedPoint& point) {
  const RunRow* best = nullptr;
  for (const RunRow& row : context.rows) {
    const double loss = number_of(row, "eval/loss");
    if (!row.trashed && row.state == RunState::kDone && loss == loss &&
        (best == nullptr || loss < number_of(*best, "eval/loss"))) {
      best = &row;
    }
  }
  if (best == nullptr) {
    return;
  }
  ImGui::SeparatorText("against the best run so far");
  swatch(context.run_color(best->id), 10 * context.scale);
  ImGui::SameLine();
  ImGui::TextUnformatted(
      fmt::format("{}: held-out loss {}", best->name, value_text(number_of(*best, "eval/loss")))
          .c_str());
  const std::int64_t bytes = point.predicted_peak_bytes - best->peak_bytes;
  wrapped_text(
      context.theme.muted,
      fmt::format("this: peak {}{}, parameters {} against {}", bytes > 0 ? "+" : "",
                  bytes_text(bytes), count_text(static_cast<double>(point.predicted_params)),
                  value_text(number_of(*best, "params"))));
}

void draw_what_if(PanelContext& context) {
  const Result<ex::SweepSpec> spec = context.draft.spec();
  if (!spec) {
    error_card(context, spec.error().message, spec.error().remedy);
    return;
  }
  if (context.preview == nullptr) {
    empty_state(context, "Predicting", "Bytes and parameters appear here in a moment.");
    return;
  }
  if (context.preview->error) {
    error_card(context, context.preview->error->message, context.preview->error->remedy);
    return;
  }
  const ex::PlannedPoint* point = context.preview->largest();
  if (point == nullptr) {
    return;
  }
  if (!point->excluded_because.empty()) {
    error_card(context, point->excluded_because, "");
  }
  const bool several = context.preview->points.size() > 1;
  big_number(context, several ? "step peak of the largest trial" : "step peak",
             bytes_text(point->predicted_peak_bytes),
             "All bytes that the engine will hold at the highest point of a training step. The "
             "real run reaches exactly this.");
  big_number(context, "parameters", count_text(static_cast<double>(point->predicted_params)),
             "Trainable numbers of the model");
  big_number(context, "stored", bytes_text(point->predicted_stored_bytes),
             "Size of the weights in a checkpoint");
  wrapped_text(context.theme.muted, fmt::format("{} operations per step; predicted in {}",
                                                count_text(point->predicted_flops_per_step),
                                                duration_text(context.preview->secs)));
  draw_against_best(context, *point);
}

void draw_buttons(PanelContext& context) {
  const bool can = !context.live.busy && context.draft.spec().ok();
  ImGui::BeginDisabled(!can);
  if (primary_button(context.theme, std::string(icon::kPlay) + "  Run once###run_once")) {
    context.wishes.commands.emplace_back(ex::StartRun{context.draft.value("")});
    context.wishes.show_panel = "Live";
  }
  ImGui::EndDisabled();
  hint(context.live.busy ? "Something runs already" : "Runs these settings once");
  ImGui::SameLine();
  if (ImGui::Button("Sweep this")) {
    context.wishes.show_panel = "Sweep";
  }
}

}  // namespace

void draw_setup(PanelContext& context) {
  const float room = ImGui::GetContentRegionAvail().x;
  const float left = std::clamp(room * 0.52f, 240 * context.scale, 520 * context.scale);
  ImGui::BeginChild("form", {left, 0}, ImGuiChildFlags_ResizeX);
  param_form(context, false);
  ImGui::EndChild();
  ImGui::SameLine();
  ImGui::BeginChild("what_if", {0, 0});
  draw_buttons(context);
  ImGui::SeparatorText("what it will cost");
  draw_what_if(context);
  ImGui::EndChild();
}

}  // namespace lathe::ui
