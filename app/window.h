// The window of `lathe` without a verb: GLFW's loop around the workbench, and the threads that feed
// it. Training goes on in the session's thread whatever the window does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/sweep.h"
#include "ui/model/live_view.h"
#include "ui/model/rank_preview.h"
#include "ui/model/sample_offer.h"
#include "ui/model/step_preview.h"
#include "ui/model/store_desk.h"

namespace lathe::app {

// What a window is connected to. Everything outlives it.
struct WindowPorts {
  experiments::CommandSink* commands = nullptr;
  ui::LiveView* live = nullptr;
  ui::StorePort store;
  experiments::Predictor predict;
  ui::RankPreview::Work ranks;
  ui::StepPreview::Work steps;
  // Measures the machine and makes the sample fit it; called on a thread of its own.
  std::function<Result<ui::SampleOffer>()> sample;
  // Takes down which run or sweep shall go on without the window, once it has been stopped with a
  // checkpoint; empty where that is not possible.
  std::function<void(const std::string& id)> detach;
  // The process was asked to end; the window closes without a question.
  std::function<bool()> leaving;
  std::string machine;                        // "2 CPU threads, no GPU"
  std::vector<std::string> installed_models;  // names under the models folder
  std::string state_file;                     // where layout and selection are kept
};

// Blocks until the window is closed. kDevice where there is no display.
Result<void> show_window(const WindowPorts& ports);

// Wakes a window that sleeps; from any thread, also when none is open.
void wake_window();

}  // namespace lathe::app
