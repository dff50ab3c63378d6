// A job on a model where it was asked for: its progress with Cancel, then its result or its error.
#pragma once

#include "ui/panels/panel.h"

namespace lathe::ui {

// Draws nothing for a null job.
void job_row(PanelContext& context, const LiveJob* job);

}  // namespace lathe::ui
