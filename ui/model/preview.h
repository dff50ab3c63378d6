// An answer worked out on a thread of its own while a slider moves: always to the newest question,
// so that no frame waits for one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/result.h"

namespace lathe::ui {

// Questions can be copied and compared.
template <typename Question, typename Value>
class Preview {
 public:
  // Called on the preview's thread.
  using Work = std::function<Result<Value>(const Question&)>;

  struct Answer {
    Question question;
    Value value;  // empty where there is an error
    std::optional<Error> error;
    double secs = 0;  // how long it took
  };

  // `wake` is called when an answer is there.
  Preview(Work work, std::function<void()> wake)
      : work_(std::move(work)), wake_(std::move(wake)), thread_([this] { answer_all(); }) {}
  ~Preview() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    news_.notify_all();
    thread_.join();
  }
  Preview(const Preview&) = delete;
  Preview& operator=(const Preview&) = delete;

  // To be called with each frame: the question that was asked last is not asked again, and a newer
  // one replaces one that waits.
  void ask(const Question& question) {
    {
      const std::lock_guard lock(mutex_);
      if (asked_ && question == *asked_) {
        return;
      }
      asked_ = question;
      waiting_ = question;
    }
    news_.notify_all();
  }
  // Null before the first answer; otherwise perhaps that of an older question.
  std::shared_ptr<const Answer> latest() const {
    const std::lock_guard lock(mutex_);
    return latest_;
  }
  bool pending() const {
    const std::lock_guard lock(mutex_);
    return working_ || waiting_.has_value();
  }

 private:
  void answer_all() {
    std::unique_lock lock(mutex_);
    for (;;) {
      news_.wait(lock, [this] { return stop_ || waiting_.has_value(); });
      if (stop_) {
        return;
      }
      const auto answer = std::make_shared<Answer>();
      answer->question = std::move(*waiting_);
      waiting_.reset();
      working_ = true;
      lock.unlock();
      fill(*answer);
      lock.lock();
      latest_ = answer;
      working_ = false;
      lock.unlock();
      wake_();
      lock.lock();
    }
  }

  void fill(Answer& answer) const {
    const auto begin = std::chrono::steady_clock::now();
    auto value = work_(answer.question);
    if (value) {
      answer.value = std::move(*value);
    } else {
      answer.error = value.error();
    }
    answer.secs = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Work work_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::optional<Question> asked_;  // last
  std::optional<Question> waiting_;
  bool working_ = false;
  bool stop_ = false;
  std::shared_ptr<const Answer> latest_;
  std::thread thread_;
};

}  // namespace lathe::ui
