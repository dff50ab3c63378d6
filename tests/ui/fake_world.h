// The world around the window, without engine and database: a store in memory, a sink that keeps
// the commands, a predictor that counts, and a scripted sweep.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "experiments/run_spec.h"
#include "experiments/sweep.h"
#include "storage/run_catalog.h"
#include "ui/model/live_view.h"
#include "ui/model/sample_offer.h"
#include "ui/model/step_preview.h"
#include "ui/model/store_desk.h"

namespace lathe::ui::testing {

// What the fake store holds; guarded, because the desk reads on its own thread.
struct FakeStore {
  std::mutex mutex;
  std::int64_t version = 1;
  std::vector<storage::RunDetail> runs;
  std::map<std::string, std::vector<experiments::MetricPoint>> points;  // "run metric"
  std::string fail_with;                               // every read fails with this
  experiments::MemoryProfile profile;                  // of every run
  std::vector<experiments::PaletteSnapshot> palettes;  // of every run

  StorePort port();
};

class KeptCommands : public experiments::CommandSink {
 public:
  void send(experiments::Command command) override;
  std::vector<experiments::Command> take();

 private:
  std::mutex mutex_;
  std::vector<experiments::Command> commands_;
};

// Peak falls with the rank; a rank of 13 is refused.
experiments::Predictor fake_predictor();
// As many blocks as model.layers says. Sub-tokens of 2, 4, 8 and 16; those of 4 are refused.
StepPreview::Work fake_steps();

// A sweep over low_rank.rank = 4, 8, 16, 32 on a small model.
Json sample_sweep();
SampleOffer sample_offer();

// Events of a sweep whose curves look like training. Point 3 fails at half of its steps.
class ScriptedSweep {
 public:
  // `device`: its machine tells what a device has in use.
  explicit ScriptedSweep(std::int64_t steps = 200, bool device = true);
  void begin(experiments::EventSink& sink);
  // The events of one step of one point; the first one starts the run.
  void step(experiments::EventSink& sink, std::size_t point, std::int64_t step);
  void finish_point(experiments::EventSink& sink, std::size_t point);
  void fail_point(experiments::EventSink& sink, std::size_t point, std::int64_t step);
  void finish(experiments::EventSink& sink);
  // All of it.
  void play(experiments::EventSink& sink);
  const std::vector<experiments::PlannedPoint>& points() const { return points_; }
  std::int64_t steps() const { return steps_; }

 private:
  std::int64_t steps_;
  bool device_;
  std::vector<experiments::PlannedPoint> points_;
};

// The scripted sweep as the store would hold it.
void record_into(FakeStore& store);

}  // namespace lathe::ui::testing
