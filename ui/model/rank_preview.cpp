// The preview's thread: always at the newest question.
#include "ui/model/rank_preview.h"

#include <chrono>
#include <utility>

namespace lathe::ui {

RankPreview::RankPreview(RankChooser choose, std::function<void()> wake)
    : choose_(std::move(choose)), wake_(std::move(wake)), thread_([this] { work(); }) {}

RankPreview::~RankPreview() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  news_.notify_all();
  thread_.join();
}

void RankPreview::ask(const RankQuestion& question) {
  {
    const std::lock_guard lock(mutex_);
    if (question == asked_) {
      return;
    }
    asked_ = question;
    waiting_ = question;
  }
  news_.notify_all();
}

std::shared_ptr<const RankAnswer> RankPreview::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

bool RankPreview::pending() const {
  const std::lock_guard lock(mutex_);
  return working_ || waiting_.has_value();
}

void RankPreview::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    news_.wait(lock, [this] { return stop_ || waiting_.has_value(); });
    if (stop_) {
      return;
    }
    auto answer = std::make_shared<RankAnswer>();
    answer->question = std::move(*waiting_);
    waiting_.reset();
    working_ = true;
    lock.unlock();
    const auto begin = std::chrono::steady_clock::now();
    auto plan = choose_(*answer->question.spectrum, answer->question.spec);
    if (plan) {
      answer->plan = std::move(*plan);
    } else {
      answer->error = plan.error();
    }
    answer->secs = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    lock.lock();
    latest_ = std::move(answer);
    working_ = false;
    lock.unlock();
    wake_();
    lock.lock();
  }
}

}  // namespace lathe::ui
