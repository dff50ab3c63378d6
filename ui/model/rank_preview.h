// What a choice of ranks would come to, worked out on a thread of its own while a slider moves: the
// spectra are there, so an answer takes milliseconds, and no frame waits for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "experiments/spectrum.h"

namespace lathe::ui {

// `spec`: a CompressSpec document. Called on the preview's thread.
using RankChooser = std::function<Result<experiments::RankPlan>(
    const experiments::ModelSpectrum& spectrum, const Json& spec)>;

struct RankQuestion {
  std::shared_ptr<const experiments::ModelSpectrum> spectrum;
  Json spec;
  bool operator==(const RankQuestion& other) const = default;
};

struct RankAnswer {
  RankQuestion question;
  experiments::RankPlan plan;
  std::optional<Error> error;  // then there is no plan
  double secs = 0;             // how long it took
};

class RankPreview {
 public:
  // `wake` is called when an answer is there.
  RankPreview(RankChooser choose, std::function<void()> wake);
  ~RankPreview();
  RankPreview(const RankPreview&) = delete;
  RankPreview& operator=(const RankPreview&) = delete;

  // To be called with each frame: the question that was asked last is not asked again, and a newer
  // one replaces one that waits. Precondition: it has a spectrum.
  void ask(const RankQuestion& question);
  // Null before the first answer; otherwise perhaps that of an older question.
  std::shared_ptr<const RankAnswer> latest() const;
  bool pending() const;

 private:
  void work();

  RankChooser choose_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  RankQuestion asked_;  // last
  std::optional<RankQuestion> waiting_;
  bool working_ = false;
  bool stop_ = false;
  std::shared_ptr<const RankAnswer> latest_;
  std::thread thread_;
};

}  // namespace lathe::ui
