// Events on the terminal: a progress line that rewrites itself where a person looks, plain lines
// where a file or a pipe does, JSON lines for programs.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "app/cli.h"
#include "experiments/clock.h"
#include "experiments/events.h"

namespace lathe::app {

// Thread-safe. Progress goes to standard error, JSON lines to standard output.
class ConsoleSink final : public experiments::EventSink {
 public:
  explicit ConsoleSink(const GlobalOptions& options);
  // Ends a progress line.
  ~ConsoleSink() override;

  void on_event(const experiments::Event& event) override;

 private:
  // What the progress line says of one run.
  struct Progress {
    std::string name;
    std::int64_t from_step = 0;
    std::int64_t step = 0;
    std::int64_t total_steps = 0;
    double loss = 0;
    double eval_loss = 0;
    double tokens_per_s = 0;
    double peak_bytes = 0;
    experiments::Stopwatch since_start;
    bool evaluated = false;
  };

  void show(const experiments::SweepCreated& event);
  void show(const experiments::RunCreated& event);
  void show(const experiments::RunStarted& event);
  void show(const experiments::MetricBatch& event);
  void show(const experiments::CheckpointSaved& event);
  void show(const experiments::LiveChanged& event);
  void show(const experiments::RunPaused& event);
  void show(const experiments::RunResumed& event);
  void show(const experiments::RunFinished& event);
  void show(const experiments::RunFailed& event);
  void show(const experiments::LogLine& event);
  void show(const experiments::Preparing& event);
  template <typename Other>
  void show(const Other&) {}

  std::string place(const experiments::RunId& run) const;
  void line(const std::string& text);
  void rewrite(const std::string& text, bool at_once);
  void clear();

  const bool json_;
  const bool quiet_;
  const bool verbose_;
  const bool terminal_;
  std::mutex mutex_;
  std::map<experiments::RunId, Progress> runs_;
  std::map<experiments::RunId, std::int64_t> points_;  // of the sweep, from 1
  std::int64_t point_count_ = 0;
  bool line_open_ = false;
  double last_rewrite_secs_ = -1;
  experiments::Stopwatch watch_;
};

}  // namespace lathe::app
