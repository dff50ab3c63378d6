// See run_store.h: the queue and the writer thread, the only user of the writing connection.
#include "storage/run_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <type_traits>

#include "storage/definitions.h"
#include "storage/open_database.h"
#include "storage/recorder.h"
#include "storage/run_admin.h"

namespace lathe::storage {
namespace {

using experiments::Event;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kBatchEvents = 512;
constexpr std::size_t kQueueEvents = 4096;
constexpr milliseconds kBatchTime{250};
constexpr milliseconds kRetryTime{1'000};

class SqliteRunStore final : public RunStore {
 public:
  SqliteRunStore(std::unique_ptr<Connection> connection, std::vector<ParamTable> params,
                 StoreOptions options)
      : connection_(std::move(connection)),
        recorder_(*connection_, std::move(params)),
        options_(std::move(options)),
        writer_([this] { write_until_stopped(); }) {}

  ~SqliteRunStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      batch_due_ = Clock::now();
    }
    work_.notify_all();
    writer_.join();
  }

  void on_event(const Event& event) override;
  Result<void> flush() override;
  std::optional<Error> failure() const override {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

  Result<void> set_tags(const std::string& run, const std::vector<std::string>& tags) override {
    return on_writer([&] { storage::set_tags(*connection_, recorder_, run, tags); });
  }
  Result<void> set_note(const std::string& run, const std::string& note) override {
    return on_writer([&] { storage::set_note(*connection_, recorder_, run, note); });
  }
  Result<void> rename(const std::string& run, const std::string& name) override {
    return on_writer([&] { rename_run(*connection_, recorder_, run, name); });
  }
  Result<void> trash(const std::string& run) override {
    return on_writer([&] { trash_run(*connection_, recorder_, run); });
  }
  Result<void> restore(const std::string& run) override {
    return on_writer([&] { restore_run(*connection_, recorder_, run); });
  }
  Result<std::vector<std::string>> purge_trash() override {
    return on_writer([&] { return storage::purge_trash(*connection_, recorder_); });
  }
  Result<std::vector<std::string>> mark_dead_runs() override {
    return on_writer([&] { return storage::mark_dead_runs(*connection_, recorder_); });
  }

 private:
  template <typename Work>
  auto on_writer(Work&& work) -> Result<decltype(work())>;
  template <typename Work>
  auto in_transaction(Work&& work) -> Result<decltype(work())>;

  void write_until_stopped();
  bool batch_is_ready(Clock::time_point now) const;
  void write_batch(std::unique_lock<std::mutex>& lock);
  Result<void> commit(const std::vector<const Event*>& batch, bool durable,
                      std::optional<Error>& refused);
  void note_failure(std::unique_lock<std::mutex>& lock, const Error& error);
  void beat();

  std::unique_ptr<Connection> connection_;  // of the writer thread alone
  Recorder recorder_;                       // likewise
  StoreOptions options_;
  Clock::time_point next_beat_ = Clock::now() + milliseconds(kHeartbeatMs);

  mutable std::mutex mutex_;
  std::condition_variable work_;      // the writer has something to do
  std::condition_variable progress_;  // the writer has done, or failed to do, something
  std::deque<Event> queue_;
  std::deque<std::function<void()>> tasks_;
  Clock::time_point batch_due_;
  std::uint64_t accepted_ = 0;  // events ever put into the queue
  std::uint64_t written_ = 0;   // events ever committed or refused
  std::uint64_t flush_target_ = 0;
  std::uint64_t failed_tries_ = 0;
  std::uint64_t lost_ = 0;
  std::optional<Error> failure_;
  std::optional<Error> unreported_;
  bool stopping_ = false;

  std::thread writer_;  // last: starts when all else is there
};

void SqliteRunStore::on_event(const Event& event) {
  if (std::holds_alternative<experiments::Preparing>(event)) {
    return;
  }
  std::unique_lock lock(mutex_);
  progress_.wait(lock, [this] { return queue_.size() < kQueueEvents || failure_.has_value(); });
  if (queue_.size() >= kQueueEvents) {
    ++lost_;
    return;
  }
  if (queue_.empty()) {
    batch_due_ = Clock::now() + kBatchTime;
  }
  queue_.push_back(event);
  ++accepted_;
  if (queue_.size() == 1 || queue_.size() == kBatchEvents) {
    work_.notify_all();
  }
}

Result<void> SqliteRunStore::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = accepted_;
  const std::uint64_t tries = failed_tries_;
  flush_target_ = std::max(flush_target_, target);
  batch_due_ = Clock::now();
  work_.notify_all();
  progress_.wait(lock, [&] { return written_ >= target || failed_tries_ > tries; });
  std::optional<Error> error = std::exchange(unreported_, std::nullopt);
  if (!error && written_ < target) {
    error = failure_;
  }
  if (error && lost_ > 0) {
    error->message += " (" + std::to_string(lost_) + " events were lost)";
    lost_ = 0;
  }
  return error ? Result<void>(*error) : Result<void>();
}

// Writes what came before, then runs `work` on the writer thread and waits for it.
template <typename Work>
auto SqliteRunStore::on_writer(Work&& work) -> Result<decltype(work())> {
  if (Result<void> flushed = flush(); !flushed.ok()) {
    return flushed.error();
  }
  using Outcome = Result<decltype(work())>;
  std::promise<Outcome> promise;
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back([&] { promise.set_value(in_transaction(work)); });
  }
  work_.notify_all();
  return promise.get_future().get();
}

template <typename Work>
auto SqliteRunStore::in_transaction(Work&& work) -> Result<decltype(work())> {
  auto outcome = guarded([&] {
    Transaction transaction(*connection_);
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      recorder_.finish_transaction();
      transaction.commit();
    } else {
      auto value = work();
      recorder_.finish_transaction();
      transaction.commit();
      return value;
    }
  });
  if (!outcome.ok()) {
    recorder_.forget();
  }
  return outcome;
}

void SqliteRunStore::write_until_stopped() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (!tasks_.empty()) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    } else if (batch_is_ready(now)) {
      write_batch(lock);
      if (stopping_ && failure_) {
        return;  // on_failure has told; nobody is left to try again
      }
    } else if (stopping_) {
      return;
    } else if (now >= next_beat_) {
      next_beat_ = now + milliseconds(kHeartbeatMs);
      lock.unlock();
      beat();
      lock.lock();
    } else {
      work_.wait_until(lock, queue_.empty() ? next_beat_ : std::min(batch_due_, next_beat_));
    }
  }
}

bool SqliteRunStore::batch_is_ready(Clock::time_point now) const {
  return !queue_.empty() &&
         (now >= batch_due_ || (queue_.size() >= kBatchEvents && !failure_.has_value()));
}

// A beat that another process's lock or a full disk prevents is no loss.
void SqliteRunStore::beat() {
  (void)guarded([this] { recorder_.beat(); });
}

void SqliteRunStore::write_batch(std::unique_lock<std::mutex>& lock) {
  // Only this thread takes events out, and a deque's push_back leaves its elements where they are.
  std::vector<const Event*> batch;
  for (std::size_t i = 0; i < std::min(queue_.size(), kBatchEvents); ++i) {
    batch.push_back(&queue_[i]);
  }
  const bool durable = stopping_ || flush_target_ > written_;
  lock.unlock();
  std::optional<Error> refused;
  const Result<void> outcome = commit(batch, durable, refused);
  lock.lock();
  if (!outcome.ok()) {
    note_failure(lock, outcome.error());
    return;
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  written_ += batch.size();
  failure_.reset();
  if (refused && !unreported_) {
    unreported_ = std::move(refused);
  }
  const bool hurry = stopping_ || flush_target_ > written_;
  batch_due_ = hurry ? Clock::now() : Clock::now() + kBatchTime;
  progress_.notify_all();
}

// One transaction. An event that the tables refuse is left out and told; anything else that fails
// undoes the whole transaction, and the same events are tried again later.
Result<void> SqliteRunStore::commit(const std::vector<const Event*>& batch, bool durable,
                                    std::optional<Error>& refused) {
  Result<void> outcome = guarded([&] {
    connection_->script(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    Transaction transaction(*connection_);
    for (const Event* event : batch) {
      try {
        recorder_.apply(*event);
      } catch (const SqlFailure& failure) {
        if (!failure.refused()) {
          throw;
        }
        refused = failure.error();
      }
    }
    recorder_.finish_transaction();
    transaction.commit();
  });
  if (!outcome.ok()) {
    recorder_.forget();
    refused.reset();
  }
  return outcome;
}

void SqliteRunStore::note_failure(std::unique_lock<std::mutex>& lock, const Error& error) {
  const bool first = !failure_.has_value();
  failure_ = error;
  ++failed_tries_;
  batch_due_ = Clock::now() + kRetryTime;
  progress_.notify_all();
  if (first && options_.on_failure) {
    lock.unlock();
    options_.on_failure(error);
    lock.lock();
  }
}

}  // namespace

Result<std::unique_ptr<RunStore>> open_store(const std::string& file, StoreOptions options) {
  return guarded([&]() -> std::unique_ptr<RunStore> {
    std::unique_ptr<Connection> connection = open_for_writing(file, options.busy_timeout);
    std::vector<ParamTable> params = store_definitions(*connection);
    return std::make_unique<SqliteRunStore>(std::move(connection), std::move(params),
                                            std::move(options));
  });
}

}  // namespace lathe::storage
