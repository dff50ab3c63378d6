// The control of one parameter, made from its description alone: a slider over its range, a combo
// for a choice, a text box; or, while it is an axis of the sweep, the editor of its values.
#pragma once

#include "engine/base/params.h"
#include "ui/panels/panel.h"

namespace lathe::ui {

// A row of a two-column table: label with help and axis toggle, then the control. `with_axes`
// offers to sweep the parameters that may be swept.
void param_row(PanelContext& context, const ParamInfo& param, bool with_axes);

// All parameters in groups, the ones that matter open; of methods only those switched on.
void param_form(PanelContext& context, bool with_axes);

}  // namespace lathe::ui
