// See console_sink.h.
#include "app/console_sink.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "app/event_json.h"
#include "engine/base/format.h"

namespace lathe::app {
namespace {

using namespace experiments;

constexpr double kRewriteSecs = 0.1;  // a progress line changes at most so often
constexpr double kPlainSecs = 30;     // a plain one too, but for evaluations

}  // namespace

ConsoleSink::ConsoleSink(const GlobalOptions& options)
    : json_(options.json),
      quiet_(options.quiet),
      verbose_(options.verbosity > 0),
      terminal_(isatty(STDERR_FILENO) == 1) {}

ConsoleSink::~ConsoleSink() {
  clear();
}

void ConsoleSink::on_event(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (json_) {
    if (const auto object = event_json(event)) {
      print_json(*object);
      std::fflush(stdout);
    }
  } else if (!quiet_) {
    std::visit([this](const auto& concrete) { show(concrete); }, event);
  }
}

void ConsoleSink::line(const std::string& text) {
  clear();
  fmt::print(stderr, "{}\n", text);
}

void ConsoleSink::clear() {
  if (line_open_) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    line_open_ = false;
  }
}

void ConsoleSink::rewrite(const std::string& text, bool at_once) {
  const double now = watch_.secs();
  const double interval = terminal_ ? kRewriteSecs : kPlainSecs;
  if (!at_once && last_rewrite_secs_ >= 0 && now - last_rewrite_secs_ < interval) {
    return;
  }
  last_rewrite_secs_ = now;
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    line_open_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
}

// "[2/5] r16", or the name alone outside a sweep.
std::string ConsoleSink::place(const RunId& run) const {
  const auto known = runs_.find(run);
  std::string name = known == runs_.end() || known->second.name.empty() ? run : known->second.name;
  const auto point = points_.find(run);
  return point == points_.end() ? name
                                : fmt::format("[{}/{}] {}", point->second, point_count_, name);
}

void ConsoleSink::show(const SweepCreated& event) {
  for (const PlannedPoint& point : event.points) {
    if (point.excluded_because.empty()) {
      points_[point.run] = ++point_count_;
    }
  }
  line(fmt::format("sweep {}{}{}: {} points", event.sweep, event.name.empty() ? "" : " ",
                   event.name, point_count_));
  for (const PlannedPoint& point : event.points) {
    if (!point.excluded_because.empty()) {
      line(fmt::format("  left out {}: {}", point.label, point.excluded_because));
    }
  }
}

void ConsoleSink::show(const RunCreated& event) {
  runs_[event.run].name = event.name;
  const std::string peak = event.predicted_peak_bytes == 0
                               ? ""
                               : ", predicted peak " + bytes_text(event.predicted_peak_bytes);
  line(fmt::format("{}: run {}{}", place(event.run), event.run, peak));
}

void ConsoleSink::show(const RunStarted& event) {
  Progress& progress = runs_[event.run];
  progress.since_start = Stopwatch();
  progress.from_step = event.from_step;
  progress.step = event.from_step;
  progress.total_steps = event.total_steps;
  if (event.from_step > 0) {
    line(fmt::format("{}: goes on from step {}", place(event.run), event.from_step));
  }
}

void ConsoleSink::show(const MetricBatch& event) {
  Progress& progress = runs_[event.run];
  bool evaluated_now = false;
  for (const MetricPoint& point : event.points) {
    progress.step = point.step;
    if (point.metric == "train/loss") {
      progress.loss = point.value;
    } else if (point.metric == "eval/loss") {
      progress.eval_loss = point.value;
      progress.evaluated = true;
      evaluated_now = true;
    } else if (point.metric == "perf/tokens_per_s") {
      progress.tokens_per_s = point.value;
    } else if (point.metric == "mem/peak_bytes") {
      progress.peak_bytes = point.value;
    }
  }
  if (progress.step == 0) {
    return;
  }
  const auto done = static_cast<double>(progress.step - progress.from_step);
  const auto left = static_cast<double>(progress.total_steps - progress.step);
  const double secs_left = done > 0 ? progress.since_start.secs() / done * left : 0;
  std::string text = fmt::format("{}  step {}/{}  loss {:.3f}", place(event.run), progress.step,
                                 progress.total_steps, progress.loss);
  if (progress.evaluated) {
    text += fmt::format("  held-out {:.3f}", progress.eval_loss);
  }
  text += fmt::format("  {} tokens/s  peak {}  {} left", count_text(progress.tokens_per_s),
                      bytes_text(static_cast<std::int64_t>(progress.peak_bytes)),
                      duration_text(secs_left));
  rewrite(text, evaluated_now);
}

void ConsoleSink::show(const CheckpointSaved& event) {
  if (verbose_) {
    line(fmt::format("{}: checkpoint of step {} ({}) in {}", place(event.run), event.step,
                     bytes_text(event.bytes), event.path));
  }
}

void ConsoleSink::show(const LiveChanged& event) {
  line(fmt::format("{}: {} is {} from step {} on", place(event.run), event.param, event.value,
                   event.step + 1));
}

void ConsoleSink::show(const RunPaused& event) {
  line(fmt::format("{}: paused at step {}", place(event.run), event.step));
}

void ConsoleSink::show(const RunResumed& event) {
  line(fmt::format("{}: goes on", place(event.run)));
}

void ConsoleSink::show(const RunFinished& event) {
  const Progress& progress = runs_[event.run];
  std::string text = fmt::format("{}: {} at step {}", place(event.run),
                                 kRunStateNames[static_cast<std::size_t>(event.state)], event.step);
  if (progress.evaluated) {
    text += fmt::format(", held-out loss {:.4f}", progress.eval_loss);
  }
  line(text + ", " + duration_text(progress.since_start.secs()));
}

void ConsoleSink::show(const RunFailed& event) {
  if (!points_.contains(event.run)) {
    return;  // a lone run's error is the command's own, and it says it
  }
  line(fmt::format("{}: failed at step {}: {}", place(event.run), event.step, event.error.text()));
}

void ConsoleSink::show(const LogLine& event) {
  const char* level = event.level == LogLevel::kError     ? "error: "
                      : event.level == LogLevel::kWarning ? "warning: "
                                                          : "";
  line(event.run.empty() ? fmt::format("lathe: {}{}", level, event.text)
                         : fmt::format("{}: {}{}", place(event.run), level, event.text));
}

void ConsoleSink::show(const Preparing& event) {
  const bool begins = event.share <= 0;
  rewrite(fmt::format("{}: {} {:.0f} %", place(event.run), event.what, 100 * event.share), begins);
}

}  // namespace lathe::app
