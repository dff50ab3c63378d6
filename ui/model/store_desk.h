// The window's reader of the store: a thread of its own answers what the panels want to see into a
// snapshot and carries out edits, so that no SQL ever runs while a frame is drawn.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "storage/run_catalog.h"
#include "ui/model/series.h"
#include "ui/model/step_memory.h"

namespace lathe::ui {

struct SetTags {
  std::string run;
  std::vector<std::string> tags;
};
struct SetNote {
  std::string run;
  std::string note;
};
struct RenameRun {
  std::string run;
  std::string name;
};
struct TrashRun {
  std::string run;
};
struct RestoreRun {
  std::string run;
};
using StoreEdit = std::variant<SetTags, SetNote, RenameRun, TrashRun, RestoreRun>;

// How the desk reaches the store; the application plugs both in. They are called on the desk's
// thread alone.
struct StorePort {
  std::function<Result<std::unique_ptr<storage::RunCatalog>>()> open;
  std::function<Result<void>(const StoreEdit&)> edit;
};

// All that is drawn of one recorded run.
struct RunRecord {
  storage::RunDetail detail;
  std::map<std::string, std::shared_ptr<const Series>> series;
  std::shared_ptr<const std::vector<experiments::MemorySample>> memory;
  std::shared_ptr<const StepScene> step;  // null as long as none was recorded
  std::shared_ptr<const std::vector<experiments::PaletteSnapshot>> palettes;  // null: none yet
};

struct StoreSnapshot {
  std::uint64_t revision = 0;
  std::vector<storage::RunSummary> runs;  // newest first, trashed ones included
  std::vector<storage::SweepSummary> sweeps;
  std::map<std::string, std::shared_ptr<const Json>> specs;  // filled little by little
  std::map<std::string, std::shared_ptr<const RunRecord>> records;
  std::string error;       // of the last read, empty if it went well
  std::string edit_error;  // of the last edit
  bool loaded = false;
};

class StoreDesk {
 public:
  // `wake` is called from the desk's thread when there is a new snapshot.
  StoreDesk(StorePort port, std::function<void()> wake);
  ~StoreDesk();
  StoreDesk(const StoreDesk&) = delete;
  StoreDesk& operator=(const StoreDesk&) = delete;

  std::shared_ptr<const StoreSnapshot> snapshot() const;
  // The runs whose curves are wanted; cheap to call every frame.
  void want(const std::set<std::string>& runs);
  void edit(StoreEdit edit);

  static constexpr std::int64_t kCurvePoints = 4096;
  static constexpr std::size_t kPaletteSnapshots = 256;

 private:
  void work();
  void read_lists(StoreSnapshot& next, bool& changed);
  void take_runs(storage::RunsChange change, std::vector<storage::RunSummary>& runs);
  void read_specs(StoreSnapshot& next, bool& changed);
  void read_records(StoreSnapshot& next, const std::set<std::string>& wanted, bool& changed);
  // `before`: what was read of it last, or null.
  Result<std::shared_ptr<const RunRecord>> read_record(const std::string& run,
                                                       const RunRecord* before);
  // Adds those that came since.
  Result<void> read_palettes(const std::string& run, const RunRecord* before, RunRecord& record);
  void apply_edits(std::vector<StoreEdit> edits, StoreSnapshot& next);

  StorePort port_;
  std::function<void()> wake_;
  std::unique_ptr<storage::RunCatalog> catalog_;
  std::int64_t version_ = -1;
  std::int64_t runs_revision_ = 0;
  std::map<std::string, std::int64_t> record_version_;

  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::set<std::string> wanted_;
  std::vector<StoreEdit> edits_;
  bool stop_ = false;
  std::shared_ptr<const StoreSnapshot> published_;
  std::thread thread_;
};

}  // namespace lathe::ui
