// The loop sleeps until input or news; while something moves it draws at most 20 times a second.
#include "app/window.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "ui/model/sweep_preview.h"
#include "ui/model/ui_state.h"
#include "ui/native_window.h"
#include "ui/workbench.h"

namespace lathe::app {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMovingFrameSecs = 0.05;  // at most so often while something moves
constexpr double kMovingPollSecs = 0.1;    // at least so often
constexpr double kIdleSecs = 1.0;          // how long a sleep lasts at most
constexpr double kSaveSecs = 5.0;
constexpr int kFramesAfterInput = 3;  // Dear ImGui settles hover and layout in two or three

double secs_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Writes the window's state on a thread of its own when it has changed.
class StateSaver {
 public:
  explicit StateSaver(std::string path) : path_(std::move(path)) {}

  void offer(std::string text) {
    const bool busy =
        writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
    if (busy || text == written_) {
      return;
    }
    written_ = text;
    writing_ = std::async(std::launch::async, [path = path_, text = std::move(text)] {
      return ui::save_ui_state(text, path);
    });
  }
  // The last state, and whether it could be written.
  Result<void> finish(const std::string& text) {
    if (writing_.valid()) {
      writing_.wait();
    }
    return ui::save_ui_state(text, path_);
  }

 private:
  std::string path_;
  std::string written_;
  std::future<Result<void>> writing_;
};

class WindowLoop {
 public:
  WindowLoop(const WindowPorts& ports, ui::NativeWindow& window, ui::Workbench& bench)
      : window_(window),
        bench_(bench),
        saver_(ports.state_file),
        live_(*ports.live),
        leaving_(ports.leaving) {
    if (ports.sample) {
      sample_ = std::async(std::launch::async, [make = ports.sample] {
        Result<ui::SampleOffer> offer = make();
        wake_window();
        return offer;
      });
    }
  }

  Result<void> run() {
    while (!bench_.may_close() && !(leaving_ && leaving_())) {
      wait();
      if (window_.close_pressed()) {
        bench_.request_close();
        frames_due_ = kFramesAfterInput;
      }
      take_sample();
      if (!window_.iconified()) {
        draw();
      }
      save(Clock::now());
    }
    return saver_.finish(ui::ui_state_to_text(state()));
  }

 private:
  // Sleeps until a frame is due.
  void wait() {
    const bool moving = bench_.animated();
    // Dear ImGui spreads quick input over frames: what is left of it is drawn at once.
    if (frames_due_ > 0 || window_.has_input()) {
      window_.wait(0.001);
      frames_due_ = window_.has_input() ? kFramesAfterInput : frames_due_ - 1;
      return;
    }
    const Clock::time_point begin = Clock::now();
    window_.wait(moving ? kMovingPollSecs : kIdleSecs);
    if (window_.has_input()) {
      frames_due_ = kFramesAfterInput;
      return;
    }
    // News of the engine come up to 30 times a second: no reason to draw as often.
    while (moving && secs_between(last_frame_, Clock::now()) < kMovingFrameSecs &&
           !window_.has_input() && secs_between(begin, Clock::now()) < kMovingPollSecs) {
      window_.wait(kMovingFrameSecs / 4);
    }
  }

  void draw() {
    const Clock::time_point now = Clock::now();
    const double secs = std::min(0.5, secs_between(last_frame_, now));
    last_frame_ = now;
    bench_.set_screen_scale(window_.scale());
    window_.frame([&] { bench_.draw(secs); });
  }

  void take_sample() {
    if (!sample_.valid() ||
        sample_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      return;
    }
    Result<ui::SampleOffer> offer = sample_.get();
    if (offer) {
      bench_.set_sample(std::move(offer).value());
    } else {
      live_.note(experiments::LogLevel::kError, offer.error().text());
    }
    frames_due_ = kFramesAfterInput;
  }

  ui::UiState state() {
    ui::UiState state = bench_.state_to_save();
    state.maximized = window_.maximized();
    if (!state.maximized) {
      int width = 0;
      int height = 0;
      window_.size(width, height);
      state.width = width;
      state.height = height;
    }
    return state;
  }

  void save(Clock::time_point now) {
    if (secs_between(last_save_, now) >= kSaveSecs) {
      last_save_ = now;
      saver_.offer(ui::ui_state_to_text(state()));
    }
  }

  ui::NativeWindow& window_;
  ui::Workbench& bench_;
  StateSaver saver_;
  ui::LiveView& live_;
  std::function<bool()> leaving_;
  std::future<Result<ui::SampleOffer>> sample_;
  Clock::time_point last_frame_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
  int frames_due_ = kFramesAfterInput;
};

}  // namespace

Result<void> show_window(const WindowPorts& ports) {
  ui::UiState state = ui::load_ui_state(ports.state_file);
  Result<std::unique_ptr<ui::NativeWindow>> window =
      ui::NativeWindow::open({.title = "Lathe",
                              .width = static_cast<int>(state.width),
                              .height = static_cast<int>(state.height),
                              .maximized = state.maximized,
                              .scale_size = state.layout.empty()});
  if (!window) {
    return window.error();
  }
  ui::StoreDesk desk(ports.store, wake_window);
  ui::SweepPreview preview(ports.predict, wake_window);
  ui::RankPreview ranks(ports.ranks, wake_window);
  ui::StepPreview steps(ports.steps, wake_window);
  ui::Workbench bench({.live = ports.live,
                       .desk = &desk,
                       .preview = &preview,
                       .ranks = &ranks,
                       .steps = &steps,
                       .commands = ports.commands,
                       .machine = ports.machine,
                       .installed_models = ports.installed_models,
                       .detach = ports.detach},
                      std::move(state), (*window)->scale());
  return WindowLoop(ports, **window, bench).run();
}

void wake_window() {
  ui::NativeWindow::wake();
}

}  // namespace lathe::app
