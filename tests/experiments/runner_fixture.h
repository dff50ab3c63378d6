// A runner in a folder of its own with a corpus in memory, and a sink that remembers.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "experiments/runner.h"
#include "tests/support/memory_tokens.h"

namespace lathe::experiments {

// Keeps all events; may act on them, which is how the tests press buttons at a certain step.
class Witness : public EventSink {
 public:
  void on_event(const Event& event) override {
    const std::lock_guard lock(mutex_);
    events.push_back(event);
    if (react) {
      react(event);
    }
  }
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const Event& event : events) {
      if (const T* one = std::get_if<T>(&event)) {
        found.push_back(*one);
      }
    }
    return found;
  }

  std::vector<Event> events;
  std::function<void(const Event&)> react;

 private:
  std::recursive_mutex mutex_;
};

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("lathe_runner_" + std::string(test->name()) + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    ports_.sink = &witness_;
    ports_.control = &control_;
    ports_.checkpoint_root = (folder_ / "checkpoints").string();
    ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
      return Result<std::shared_ptr<const TokenSource>>(test::learnable_tokens(257, 4000));
    };
    request_.run = "run0000000";
    request_.spec.threads = 2;
    TrainSpec& train = request_.spec.train;
    train.model = {.dim = 32, .layers = 2, .heads = 2};
    train.data.tokenizer = TokenizerKind::kByte;
    train.train = {.steps = 12,
                   .batch_size = 2,
                   .seq_len = 16,
                   .eval_every = 4,
                   .eval_batches = 2,
                   .checkpoint_every = 5};
    train.optim.warmup_steps = 2;
  }
  ~RunnerTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  // Does something once, when the metrics of a step come.
  void at_step(std::int64_t step, std::function<void()> act) {
    witness_.react = [step, act = std::move(act), done = false](const Event& event) mutable {
      const auto* batch = std::get_if<MetricBatch>(&event);
      if (!done && batch != nullptr && batch->points.front().step == step) {
        done = true;
        act();
      }
    };
  }
  std::map<std::int64_t, double> series(const std::string& metric) const {
    std::map<std::int64_t, double> values;
    for (const MetricBatch& batch : witness_.all<MetricBatch>()) {
      for (const MetricPoint& point : batch.points) {
        if (point.metric == metric) {
          values[point.step] = point.value;
        }
      }
    }
    return values;
  }
  std::map<std::int64_t, std::string> digests() const {
    std::map<std::int64_t, std::string> values;
    for (const DigestTaken& taken : witness_.all<DigestTaken>()) {
      values[taken.step] = taken.digest;
    }
    return values;
  }
  // The request that goes on from the newest checkpoint.
  RunRequest continued() const {
    RunRequest next = request_;
    const CheckpointSaved last = witness_.all<CheckpointSaved>().back();
    next.attempt = 2;
    next.checkpoint = last.path;
    next.from_step = last.step;
    return next;
  }

  std::filesystem::path folder_;
  Witness witness_;
  RunControl control_;
  RunnerPorts ports_;
  RunRequest request_;
};

}  // namespace lathe::experiments
