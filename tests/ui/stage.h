// A window on a stage: the workbench under Dear ImGui's test engine, either without any screen
// (fast, for logic) or in an off-screen GLFW window (for pictures).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/ui/fake_models.h"
#include "tests/ui/fake_world.h"
#include "ui/native_window.h"
#include "ui/workbench.h"

struct ImGuiTestContext;
struct ImGuiTestEngine;

namespace lathe::ui::testing {

class Stage {
 public:
  struct Options {
    bool pictures = false;
    int width = 1600;
    int height = 900;
    float scale = 1;
    UiState state = {};
    bool recorded = false;                                    // the store holds an earlier sweep
    experiments::MemoryProfile profile = {};                  // of its runs
    std::vector<experiments::PaletteSnapshot> palettes = {};  // the same
    std::function<void(const std::string&)> detach = {};
  };
  explicit Stage(Options options);
  ~Stage();

  // False if there is no off-screen OpenGL here; then nothing else may be called.
  bool ready() const { return bench_ != nullptr; }
  void frames(int count);
  // Runs a script of clicks; true if every check in it held.
  bool act(const std::string& name, const std::function<void(ImGuiTestContext*)>& script);
  // Writes a PNG of the whole window into the pictures' folder.
  void picture(const std::string& name);

  Workbench& bench() { return *bench_; }
  LiveView& live() { return *live_; }
  KeptCommands& commands() { return commands_; }
  FakeStore& store() { return store_; }
  // Frames until the desk and the preview have answered; false after 5 seconds.
  bool settle(const std::function<bool()>& done);

 private:
  void frame();

  Options options_;
  FakeStore store_;
  KeptCommands commands_;
  std::unique_ptr<NativeWindow> window_;
  std::unique_ptr<LiveView> live_;
  std::unique_ptr<StoreDesk> desk_;
  std::unique_ptr<SweepPreview> preview_;
  std::unique_ptr<RankPreview> ranks_;
  std::unique_ptr<StepPreview> steps_;
  ImGuiTestEngine* engine_ = nullptr;
  std::unique_ptr<Workbench> bench_;
};

// The commands of one kind that were sent since the last call.
template <typename Kind>
std::vector<Kind> sent(Stage& stage) {
  std::vector<Kind> out;
  for (experiments::Command& command : stage.commands().take()) {
    if (auto* one = std::get_if<Kind>(&command)) {
      out.push_back(std::move(*one));
    }
  }
  return out;
}

}  // namespace lathe::ui::testing
