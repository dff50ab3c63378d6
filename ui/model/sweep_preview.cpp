// The preview's thread: waits for a burst of changes to settle, then expands the last one.
#include "ui/model/sweep_preview.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {
// While a slider moves, requests come with every frame: only the last of a burst is worked out.
constexpr auto kSettle = std::chrono::milliseconds(60);
}  // namespace

std::int64_t PreviewResult::excluded() const {
  return std::count_if(points.begin(), points.end(), [](const ex::PlannedPoint& point) {
    return !point.excluded_because.empty();
  });
}

std::int64_t PreviewResult::runnable() const {
  return static_cast<std::int64_t>(points.size()) - excluded();
}

const ex::PlannedPoint* PreviewResult::largest() const {
  const auto found = std::max_element(
      points.begin(), points.end(),
      [](const auto& a, const auto& b) { return a.predicted_peak_bytes < b.predicted_peak_bytes; });
  return found == points.end() ? nullptr : &*found;
}

SweepPreview::SweepPreview(ex::Predictor predict, std::function<void()> wake)
    : predict_(std::move(predict)), wake_(std::move(wake)), thread_([this] { work(); }) {}

SweepPreview::~SweepPreview() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  news_.notify_all();
  thread_.join();
}

void SweepPreview::request(std::uint64_t revision, ex::SweepSpec sweep) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(revision, std::move(sweep));
  }
  news_.notify_all();
}

std::shared_ptr<const PreviewResult> SweepPreview::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

bool SweepPreview::pending() const {
  const std::lock_guard lock(mutex_);
  return working_ || waiting_.has_value();
}

bool SweepPreview::superseded() const {
  const std::lock_guard lock(mutex_);
  return stop_ || waiting_.has_value();
}

void SweepPreview::work() {
  const ex::Predictor predict = [this](const ex::RunSpec& spec) -> Result<ex::Prediction> {
    if (superseded()) {
      return Error{ErrorKind::kInterrupted, "a newer draft is being predicted", ""};
    }
    return predict_(spec);
  };
  while (true) {
    std::pair<std::uint64_t, ex::SweepSpec> job;
    {
      std::unique_lock lock(mutex_);
      working_ = false;
      news_.wait(lock, [&] { return stop_ || waiting_.has_value(); });
      news_.wait_for(lock, kSettle, [&] { return stop_; });
      if (stop_) {
        return;
      }
      job = std::move(*waiting_);
      waiting_.reset();
      working_ = true;
    }
    const auto begin = std::chrono::steady_clock::now();
    auto result = std::make_shared<PreviewResult>();
    result->revision = job.first;
    Result<std::vector<ex::PlannedPoint>> points =
        ex::expand(job.second, predict_ ? predict : ex::Predictor());
    if (superseded()) {
      continue;
    }
    if (points) {
      result->points = std::move(points).value();
    } else {
      result->error = points.error();
    }
    result->secs = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    {
      const std::lock_guard lock(mutex_);
      latest_ = std::move(result);
      working_ = false;
    }
    wake_();
  }
}

}  // namespace lathe::ui
