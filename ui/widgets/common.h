// Small pieces that panels share: muted text, state badges, the one big button, empty states.
#pragma once

#include <string>

#include "ui/panels/panel.h"

namespace lathe::ui {

struct StateLook {
  const char* icon;
  ImVec4 color;
};
StateLook look_of(const Theme& theme, RunState state);

void muted_text(const Theme& theme, const std::string& text);
void colored_text(const ImVec4& color, const std::string& text);
void wrapped_text(const ImVec4& color, const std::string& text);
// A tooltip for the item before, wrapped to a readable width.
void hint(const std::string& text);
// A button in the accent colour: the one thing to do here.
bool primary_button(const Theme& theme, const std::string& label, ImVec2 size = {0, 0});
// A button with no frame until it is hovered.
bool quiet_button(const std::string& label);
// A small square in a colour, as tall as text.
void swatch(const ImVec4& color, float size);
// Icon and word of a state.
void state_badge(const Theme& theme, RunState state);
// What happened, why, and what to do about it, framed in the colour of errors.
void error_card(const PanelContext& context, const std::string& what, const std::string& remedy);
// Text in the middle of the free space: a headline and a sentence that says what to do.
void empty_state(const PanelContext& context, const std::string& headline,
                 const std::string& what_to_do);
// The empty state of a panel that shows an opened model, with a button "###to_models" to the panel
// that opens one.
void no_model_state(PanelContext& context, const std::string& what_to_do);
// The empty state of a window without runs, with its default button. Test id "##start/Run the
// sample sweep".
void start_card(PanelContext& context);
// Moves the cursor so that a text of this width ends at the right edge of the free space.
void align_right(float width);

// Colour with another alpha.
ImVec4 with_alpha(ImVec4 color, float alpha);

}  // namespace lathe::ui
