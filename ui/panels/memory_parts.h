// What the Memory panel's two sources share: a run's recorded step, and one of the settings.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ui/model/step_memory.h"
#include "ui/panels/panel.h"

namespace lathe::ui {

// Null where it was not read yet.
const RunRecord* recorded_run(const PanelContext& context, const std::string& run);

// Time line, what is alive at the peak, areas in proportion to it; `beside` draws what belongs at
// the lower right, so wide.
void draw_step(PanelContext& context, const StepScene& scene,
               const std::function<void(float width)>& beside);

// Columns, two to four of them: name, actual; name, planned, actual; name, actual, other, change.
void draw_peak_rows(const PanelContext& context, const std::vector<PeakRow>& rows,
                    const std::vector<const char*>& columns, float width);

// The settings as a step, with sliders of what decides its memory.
void draw_planned_step(PanelContext& context);

}  // namespace lathe::ui
