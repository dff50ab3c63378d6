// See job_row.h.
#include "ui/widgets/job_row.h"

#include <fmt/format.h>
#include <imgui.h>

#include "ui/model/model_forms.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {
namespace {

void draw_progress(PanelContext& context, const LiveJob& job) {
  const std::string text = job.state == JobState::kWaiting ? "waiting for its turn" : job.what;
  const float cancel = 80 * context.scale;
  ImGui::ProgressBar(static_cast<float>(job.share), {ImGui::GetContentRegionAvail().x - cancel, 0},
                     text.c_str());
  ImGui::SameLine();
  if (ImGui::Button("Cancel", {-1, 0})) {
    context.wishes.commands.emplace_back(experiments::CancelJob{job.id});
  }
}

void draw_result(PanelContext& context, const LiveJob& job) {
  colored_text(context.theme.good, fmt::format("{} {}", icon::kCheck, job.title));
  if (!ImGui::BeginTable("result", 2, ImGuiTableFlags_RowBg)) {
    return;
  }
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthFixed, 150 * context.scale);
  ImGui::TableSetupColumn("value");
  for (const auto& [name, value] : result_lines(job.result)) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    muted_text(context.theme, name);
    ImGui::TableNextColumn();
    ImGui::TextWrapped("%s", value.c_str());
  }
  ImGui::EndTable();
}

}  // namespace

void job_row(PanelContext& context, const LiveJob* job) {
  if (job == nullptr) {
    return;
  }
  ImGui::PushID(job->id.c_str());
  switch (job->state) {
    case JobState::kWaiting:
    case JobState::kRunning:
      draw_progress(context, *job);
      break;
    case JobState::kDone:
      draw_result(context, *job);
      break;
    case JobState::kFailed:
      error_card(context, job->error, job->remedy);
      break;
    case JobState::kCancelled:
      muted_text(context.theme, job->title + " was cancelled");
      break;
  }
  ImGui::PopID();
}

}  // namespace lathe::ui
