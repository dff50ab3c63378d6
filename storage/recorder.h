// Writes events into the tables: one function per kind of event. Runs on the writer thread, inside
// its transaction.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "experiments/events.h"
#include "experiments/metrics.h"
#include "storage/owner.h"
#include "storage/param_table.h"
#include "storage/series.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

class Recorder {
 public:
  // `params`: the tables that hold the parameters of new runs as columns.
  explicit Recorder(Connection& connection, std::vector<ParamTable> params = {});

  // Between begin and commit of a transaction. A refused event (SqlFailure::refused) has changed
  // nothing that the transaction must be given up for.
  void apply(const experiments::Event& event);
  // The last act of a transaction: tails, summaries, heartbeat, revisions.
  void finish_transaction();
  // After a rollback: nothing kept in memory is true any more.
  void forget();

  // Marks a run as changed, for lists that are kept up to date.
  void touch(std::int64_t run) { touched_.insert(run); }
  // The key of a run; throws SqlFailure (refused, kUsage) if the store does not know it.
  std::int64_t key_of(const std::string& run);
  // Says that this process lives, if it owns a run or sweep that goes on.
  void beat();

 private:
  // An open series with the running summary of its values.
  struct Tracked {
    Series series;
    experiments::Better better = experiments::Better::kNeither;
    bool changed = false;
    double last = 0;
    double best = 0;  // NaN: none yet, or no direction is better
  };
  using SeriesKey = std::pair<std::int64_t, std::int64_t>;  // run, series

  void on(const experiments::SweepCreated& event);
  void on(const experiments::RunCreated& event);
  void on(const experiments::RunStarted& event);
  void on(const experiments::MetricBatch& event);
  void on(const experiments::MemorySample& event);
  void on(const experiments::MemoryProfile& event);
  void on(const experiments::PaletteSnapshot& event);
  void on(const experiments::CheckpointSaved& event);
  void on(const experiments::CheckpointRemoved& event);
  void on(const experiments::DigestTaken& event);
  void on(const experiments::LiveChanged& event);
  void on(const experiments::RunPaused& event);
  void on(const experiments::RunResumed& event);
  void on(const experiments::RunFinished& event);
  void on(const experiments::RunFailed& event);
  void on(const experiments::SweepFinished& event);
  void on(const experiments::ReplayVerdict& event);
  void on(const experiments::LogLine& event);
  // What is not of a run: preparing, and work on models.
  template <typename Other>
  void on(const Other&) {}

  std::string store_spec(const Json& document);
  std::int64_t sweep_key_of(const std::string& sweep);
  std::int64_t series_key_of(std::string_view id);
  std::int64_t process();
  Tracked& tracked(std::int64_t run, std::string_view id, const SeriesLayout& layout);
  void add_point(const SeriesKey& key, Tracked& tracked, const experiments::MetricPoint& point);
  void summarise(const SeriesKey& key, Tracked& tracked);
  void set_state(std::int64_t run, experiments::RunState state, std::int64_t step);
  void rewind(std::int64_t run, std::int64_t step);
  void forget_run(std::int64_t run);

  Connection& connection_;
  std::vector<ParamTable> params_;
  Owner owner_;
  std::int64_t process_ = 0;
  std::map<std::string, std::int64_t, std::less<>> run_keys_;
  std::map<std::string, std::int64_t, std::less<>> series_keys_;
  std::map<SeriesKey, std::unique_ptr<Tracked>> series_;
  std::set<std::int64_t> touched_;
};

// The series that holds a run's memory samples; no metric has this id.
inline constexpr std::string_view kMemorySeries = "memory samples";

}  // namespace lathe::storage
