// The window's ear: takes events from the engine's threads at once and drops or thins what a screen
// cannot show (the store keeps everything). The window pulls a snapshot at most 30 times a second,
// so that watching costs nothing while nobody looks.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "ui/model/live_state.h"

namespace lathe::ui {

class LiveView : public experiments::EventSink {
 public:
  struct Options {
    std::function<std::int64_t()> now_ms;  // Unix time; replaceable for tests
    std::function<void()> wake;            // called (from any thread) when there is news
    std::int64_t min_interval_ms = 33;
    std::size_t max_log = 5000;
    std::size_t max_memory_samples = 2048;  // per run; beyond it every second one goes
    std::size_t max_palettes = 256;         // the same of snapshots of palettes
  };
  LiveView();
  explicit LiveView(Options options);

  // Never blocks longer than it takes to make a snapshot of what changed.
  void on_event(const experiments::Event& event) override;

  // The latest state; the former one again if it is younger than min_interval_ms.
  std::shared_ptr<const LiveState> snapshot();

  // Says "Start was pressed" until the first event answers, so that buttons react at once.
  void expect_work();
  // The same where the command asks for a job on a model.
  void expect_job(const experiments::Command& command);
  // A message of the window itself, in the same log.
  void note(experiments::LogLevel level, const std::string& text);

 private:
  struct Building {
    std::shared_ptr<LiveRun> run;
    std::map<std::string, Series> series;
    std::map<std::string, bool> series_changed;
    std::vector<experiments::MemorySample> memory;
    bool memory_changed = false;
    std::vector<experiments::PaletteSnapshot> palettes;
    bool palettes_changed = false;
    bool changed = true;
    std::shared_ptr<const LiveRun> published;
  };
  Building& run_of(const RunId& run);
  void apply(const experiments::SweepCreated& event);
  void apply(const experiments::RunCreated& event);
  void apply(const experiments::RunStarted& event);
  void apply(const experiments::MetricBatch& event);
  void apply(const experiments::MemorySample& event);
  void apply(const experiments::MemoryProfile& event);
  void apply(const experiments::PaletteSnapshot& event);
  void apply(const experiments::CheckpointSaved& event);
  void apply(const experiments::CheckpointRemoved& event);
  void apply(const experiments::DigestTaken& event);
  void apply(const experiments::LiveChanged& event);
  void apply(const experiments::RunPaused& event);
  void apply(const experiments::RunResumed& event);
  void apply(const experiments::RunFinished& event);
  void apply(const experiments::RunFailed& event);
  void apply(const experiments::SweepFinished& event);
  void apply(const experiments::ReplayVerdict& event);
  void apply(const experiments::LogLine& event);
  void apply(const experiments::Preparing& event);
  void apply(const experiments::JobFailed& event);
  // What else there is concerns models.
  template <typename ModelEvent>
  void apply(const ModelEvent& event) {
    models_.apply(event);
  }
  void add_log(LogEntry entry);
  void tell(const RunId& run, std::string text);
  void thin(std::vector<experiments::MemorySample>& samples) const;
  std::shared_ptr<const LiveRun> publish(Building& building);
  double eta_secs() const;

  Options options_;
  std::mutex mutex_;
  std::vector<RunId> order_;
  std::map<RunId, Building> runs_;
  std::shared_ptr<LiveSweep> sweep_;
  bool sweep_changed_ = false;
  ModelsView models_;
  std::deque<LogEntry> log_;
  std::vector<Problem> problems_;
  bool log_changed_ = true;
  LiveState state_;  // what is not per run
  bool dirty_ = true;
  std::int64_t published_ms_ = 0;
  std::shared_ptr<const LiveState> published_;
};

}  // namespace lathe::ui
