// What a draft would do, before anything runs: its points with predicted bytes and parameters,
// worked out on a thread of its own so that a slider never waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "experiments/sweep.h"

namespace lathe::ui {

struct PreviewResult {
  std::uint64_t revision = 0;  // of the draft it answers
  std::vector<experiments::PlannedPoint> points;
  std::optional<Error> error;
  double secs = 0;  // how long it took to work out

  std::int64_t runnable() const;
  std::int64_t excluded() const;
  // The point with the highest predicted peak, which must fit; null where there is no point.
  const experiments::PlannedPoint* largest() const;
};

class SweepPreview {
 public:
  // `predict` is called on the preview's thread; `wake` when a result is there.
  SweepPreview(experiments::Predictor predict, std::function<void()> wake);
  ~SweepPreview();
  SweepPreview(const SweepPreview&) = delete;
  SweepPreview& operator=(const SweepPreview&) = delete;

  // A newer request replaces a waiting one, and makes a running one give up.
  void request(std::uint64_t revision, experiments::SweepSpec sweep);
  // Null before the first result.
  std::shared_ptr<const PreviewResult> latest() const;
  bool pending() const;

 private:
  void work();
  bool superseded() const;

  experiments::Predictor predict_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::optional<std::pair<std::uint64_t, experiments::SweepSpec>> waiting_;
  bool working_ = false;
  bool stop_ = false;
  std::shared_ptr<const PreviewResult> latest_;
  std::thread thread_;
};

}  // namespace lathe::ui
