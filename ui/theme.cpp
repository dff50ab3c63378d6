// The colours are chosen here and nowhere else; panels name them by meaning.
#include "ui/theme.h"

#include <implot.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "engine/base/paths.h"

namespace lathe::ui {

namespace {

ImVec4 rgb(unsigned hex, float alpha = 1.0f) {
  return {static_cast<float>(hex >> 16 & 255) / 255.0f, static_cast<float>(hex >> 8 & 255) / 255.0f,
          static_cast<float>(hex & 255) / 255.0f, alpha};
}

ImVec4 faded(ImVec4 color, float alpha) {
  color.w *= alpha;
  return color;
}

constexpr unsigned kDarkRuns[kRunColors] = {0x56B4E9, 0xE69F00, 0x2BC29A, 0xF0E442, 0xD98CB9,
                                            0xEB6E3C, 0x7C9CFF, 0xC9CED6, 0xB08CFF, 0x9BD65C};
constexpr unsigned kLightRuns[kRunColors] = {0x0F7BB8, 0xB87A00, 0x00805C, 0x8A7E00, 0xA84B80,
                                             0xB84A00, 0x3556D8, 0x5A6270, 0x6F3FD6, 0x4C8A12};
constexpr unsigned kDarkCategories[kCategoryCount] = {0x6C8EF5, 0xB08CFF, 0xE69F00, 0xD98CB9,
                                                      0x2BC29A, 0x8B93A1, 0xF0E442, 0xEB6E3C};
constexpr unsigned kLightCategories[kCategoryCount] = {0x3556D8, 0x6F3FD6, 0xB87A00, 0xA84B80,
                                                       0x00805C, 0x5A6270, 0x8A7E00, 0xB84A00};

struct Ground {
  ImVec4 window, panel, frame, frame_hovered, title;
};

Ground ground_of(ThemeKind kind) {
  return kind == ThemeKind::kDark
             ? Ground{rgb(0x111317), rgb(0x181B20), rgb(0x242830), rgb(0x2E343E), rgb(0x111317)}
             : Ground{rgb(0xE6E9EE), rgb(0xFAFBFC), rgb(0xE9ECF1), rgb(0xDDE2EA), rgb(0xE6E9EE)};
}

void set_widget_colors(const Theme& theme, ImVec4* colors) {
  const Ground ground = ground_of(theme.kind);
  colors[ImGuiCol_Text] = theme.text;
  colors[ImGuiCol_TextDisabled] = theme.muted;
  colors[ImGuiCol_WindowBg] = ground.panel;
  colors[ImGuiCol_ChildBg] = rgb(0, 0.0f);
  colors[ImGuiCol_PopupBg] = theme.raised;
  colors[ImGuiCol_Border] = theme.line;
  colors[ImGuiCol_FrameBg] = ground.frame;
  colors[ImGuiCol_FrameBgHovered] = ground.frame_hovered;
  colors[ImGuiCol_FrameBgActive] = ground.frame_hovered;
  colors[ImGuiCol_TitleBg] = ground.title;
  colors[ImGuiCol_TitleBgActive] = ground.title;
  colors[ImGuiCol_TitleBgCollapsed] = ground.title;
  colors[ImGuiCol_MenuBarBg] = ground.window;
  colors[ImGuiCol_ScrollbarBg] = rgb(0, 0.0f);
  colors[ImGuiCol_ScrollbarGrab] = ground.frame_hovered;
  colors[ImGuiCol_CheckMark] = theme.accent;
  colors[ImGuiCol_SliderGrab] = faded(theme.accent, 0.65f);
  colors[ImGuiCol_SliderGrabActive] = theme.accent;
  colors[ImGuiCol_Button] = ground.frame;
  colors[ImGuiCol_ButtonHovered] = ground.frame_hovered;
  colors[ImGuiCol_ButtonActive] = faded(theme.accent, 0.5f);
}

void set_structure_colors(const Theme& theme, ImVec4* colors) {
  const Ground ground = ground_of(theme.kind);
  colors[ImGuiCol_Header] = faded(theme.accent, 0.22f);
  colors[ImGuiCol_HeaderHovered] = faded(theme.accent, 0.14f);
  colors[ImGuiCol_HeaderActive] = faded(theme.accent, 0.30f);
  colors[ImGuiCol_Separator] = theme.line;
  colors[ImGuiCol_SeparatorHovered] = theme.accent;
  colors[ImGuiCol_SeparatorActive] = theme.accent;
  colors[ImGuiCol_ResizeGrip] = rgb(0, 0.0f);
  colors[ImGuiCol_Tab] = ground.title;
  colors[ImGuiCol_TabHovered] = ground.frame_hovered;
  colors[ImGuiCol_TabSelected] = ground.panel;
  colors[ImGuiCol_TabSelectedOverline] = theme.accent;
  colors[ImGuiCol_TabDimmed] = ground.title;
  colors[ImGuiCol_TabDimmedSelected] = ground.panel;
  colors[ImGuiCol_TabDimmedSelectedOverline] = rgb(0, 0.0f);
  colors[ImGuiCol_DockingPreview] = faded(theme.accent, 0.4f);
  colors[ImGuiCol_DockingEmptyBg] = ground.window;
  colors[ImGuiCol_TableHeaderBg] = ground.frame;
  colors[ImGuiCol_TableBorderStrong] = theme.line;
  colors[ImGuiCol_TableBorderLight] = faded(theme.line, 0.6f);
  colors[ImGuiCol_TableRowBg] = rgb(0, 0.0f);
  colors[ImGuiCol_TableRowBgAlt] = faded(theme.text, 0.025f);
  colors[ImGuiCol_TextSelectedBg] = faded(theme.accent, 0.35f);
  colors[ImGuiCol_NavCursor] = theme.accent;
  colors[ImGuiCol_ModalWindowDimBg] = rgb(0, 0.45f);
  colors[ImGuiCol_PlotHistogram] = theme.accent;
}

void set_plot_style(const Theme& theme, float scale) {
  ImPlotStyle style;
  ImPlot::StyleColorsAuto(&style);
  const auto scaled = [&](ImVec2 size) { return ImVec2(size.x * scale, size.y * scale); };
  style.PlotPadding = scaled({12, 6});
  style.LabelPadding = scaled({5, 4});
  style.LegendPadding = scaled({8, 8});
  style.LegendInnerPadding = scaled({6, 4});
  style.MousePosPadding = scaled({8, 6});
  style.AnnotationPadding = scaled({4, 2});
  style.MajorTickLen = scaled({0, 0});
  style.MinorTickLen = scaled({0, 0});
  style.PlotMinSize = scaled({80, 60});
  style.PlotBorderSize = 0;
  style.MinorAlpha = 0.4f;
  style.FitPadding = {0.0f, 0.06f};
  style.Colors[ImPlotCol_FrameBg] = rgb(0, 0.0f);
  style.Colors[ImPlotCol_PlotBg] = rgb(0, 0.0f);
  style.Colors[ImPlotCol_AxisText] = theme.muted;
  style.Colors[ImPlotCol_AxisGrid] = faded(theme.line, 0.9f);
  style.Colors[ImPlotCol_InlayText] = theme.muted;
  style.Colors[ImPlotCol_LegendBg] = faded(theme.raised, 0.9f);
  style.Colors[ImPlotCol_Crosshairs] = theme.muted;
  ImPlot::GetStyle() = style;
}

ImFont* load_font(const char* name, const ImFontConfig& config) {
  const std::optional<std::filesystem::path> path = find_asset(std::string("fonts/") + name);
  return path ? ImGui::GetIO().Fonts->AddFontFromFileTTF(path->c_str(), 0.0f, &config) : nullptr;
}

}  // namespace

Theme make_theme(ThemeKind kind) {
  const bool dark = kind == ThemeKind::kDark;
  Theme theme;
  theme.kind = kind;
  theme.text = dark ? rgb(0xE4E7EC) : rgb(0x1B1F26);
  theme.muted = dark ? rgb(0x949CAA) : rgb(0x5A6270);
  theme.accent = dark ? rgb(0x5AA2FF) : rgb(0x1F6FEB);
  theme.accent_text = dark ? rgb(0x08111F) : rgb(0xFFFFFF);
  theme.good = dark ? rgb(0x45C08F) : rgb(0x0B7A52);
  theme.warning = dark ? rgb(0xE8B04A) : rgb(0x8F5B00);
  theme.bad = dark ? rgb(0xF0716B) : rgb(0xC02B2B);
  theme.raised = dark ? rgb(0x20242B) : rgb(0xFFFFFF);
  theme.line = dark ? rgb(0x323843) : rgb(0xCFD5DE);
  for (std::size_t i = 0; i < kRunColors; ++i) {
    theme.runs[i] = rgb(dark ? kDarkRuns[i] : kLightRuns[i]);
  }
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    theme.categories[i] = rgb(dark ? kDarkCategories[i] : kLightCategories[i]);
  }
  return theme;
}

void apply_theme(const Theme& theme, float scale) {
  ImGuiStyle style;
  if (theme.kind == ThemeKind::kLight) {
    ImGui::StyleColorsLight(&style);
  } else {
    ImGui::StyleColorsDark(&style);
  }
  set_widget_colors(theme, style.Colors);
  set_structure_colors(theme, style.Colors);
  style.WindowPadding = {10, 8};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {8, 6};
  style.ItemInnerSpacing = {6, 4};
  style.CellPadding = {6, 3};
  style.IndentSpacing = 14;
  style.ScrollbarSize = 11;
  style.GrabMinSize = 10;
  style.WindowRounding = 6;
  style.ChildRounding = 5;
  style.FrameRounding = 4;
  style.PopupRounding = 6;
  style.ScrollbarRounding = 6;
  style.GrabRounding = 3;
  style.TabRounding = 4;
  style.WindowBorderSize = 1;
  style.PopupBorderSize = 1;
  style.FrameBorderSize = 1;
  style.TabBarBorderSize = 0;
  style.TabBarOverlineSize = 2;
  style.DockingSeparatorSize = 3;
  style.WindowMenuButtonPosition = ImGuiDir_None;
  style.FontSizeBase = 16.0f;
  style.ScaleAllSizes(scale);
  style.FontScaleDpi = scale;
  ImGui::GetStyle() = style;
  set_plot_style(theme, scale);
}

Fonts load_fonts() {
  Fonts fonts;
  ImFontConfig config;
  config.OversampleH = 2;
  fonts.text = load_font("Roboto-Regular.ttf", config);
  if (fonts.text == nullptr) {
    fonts.text = ImGui::GetIO().Fonts->AddFontDefault();
  }
  ImFontConfig icons;
  icons.MergeMode = true;
  icons.SizePixels = 16.0f;  // what the advance and the offset below are measured against
  icons.GlyphMinAdvanceX = 16.0f;
  icons.GlyphOffset = {0.0f, 1.0f};
  load_font("fontawesome-webfont.ttf", icons);
  fonts.mono = load_font("JetBrainsMono-Regular.ttf", config);
  if (fonts.mono == nullptr) {
    fonts.mono = fonts.text;
  }
  return fonts;
}

}  // namespace lathe::ui
