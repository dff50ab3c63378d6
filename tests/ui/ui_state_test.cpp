// What the window remembers survives a restart, and a damaged file never keeps it from opening.
#include "ui/model/ui_state.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lathe::ui {
namespace {

TEST(UiState, ComesBackFromItsFile) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "lathe-ui-state";
  std::filesystem::remove_all(folder);
  const std::string path = (folder / "deep" / "ui.json").string();
  UiState state;
  state.theme = ThemeKind::kLight;
  state.compared = {"a", "b"};
  state.layout = "[Window][Runs]\nPos=1,2\n";
  state.smoothing = 0.6;
  ASSERT_TRUE(save_ui_state(ui_state_to_text(state), path).ok());
  const UiState back = load_ui_state(path);
  EXPECT_EQ(back.theme, ThemeKind::kLight);
  EXPECT_EQ(back.compared, state.compared);
  EXPECT_EQ(back.layout, state.layout);
  EXPECT_EQ(back.smoothing, 0.6);
  std::filesystem::remove_all(folder);
}

TEST(UiState, OpensWithDefaultsWhereTheFileIsMissingOrDamaged) {
  EXPECT_EQ(load_ui_state("/nowhere/ui.json").width, 1600);
  EXPECT_EQ(ui_state_from_text("{ not json").width, 1600);
  EXPECT_EQ(ui_state_from_text("[1, 2]").width, 1600);
  const UiState state =
      ui_state_from_text(R"({"width": -5, "smoothing": "x", "unknown": 1, "filter": "kept"})");
  EXPECT_EQ(state.width, 1600);
  EXPECT_EQ(state.filter, "kept");
}

TEST(UiState, SaysWhenItCannotBeWritten) {
  EXPECT_FALSE(save_ui_state("{}", "/proc/lathe/ui.json").ok());
}

TEST(UiState, TogglesIds) {
  std::vector<std::string> ids{"a"};
  toggle(ids, "b");
  toggle(ids, "a");
  EXPECT_EQ(ids, std::vector<std::string>{"b"});
  EXPECT_TRUE(contains(ids, "b"));
}

}  // namespace
}  // namespace lathe::ui
