// See recorder.h: the life of runs and sweeps. Points and samples are in recorder_series.cpp.
#include "storage/recorder.h"

#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "experiments/run_spec.h"
#include "storage/clock.h"

namespace lathe::storage {

using namespace experiments;

namespace {

SqlFailure unknown(const char* what, const std::string& id) {
  return SqlFailure({ErrorKind::kUsage, std::string("the store knows no ") + what + " " + id,
                     "`lathe ls` lists what there is"},
                    false, true);
}

std::string_view name_of(RunState state) {
  return kRunStateNames[static_cast<std::size_t>(state)];
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// Equal for runs that differ in name and seed alone; empty for a spec of another program version.
std::string replicate_group(const Json& spec) {
  const Result<RunSpec> parsed = run_spec_from_json(spec);
  return parsed.ok() ? spec_hash(*parsed, true) : "";
}

}  // namespace

Recorder::Recorder(Connection& connection, std::vector<ParamTable> params)
    : connection_(connection), params_(std::move(params)), owner_(this_process()) {}

void Recorder::apply(const Event& event) {
  std::visit([this](const auto& concrete) { on(concrete); }, event);
}

void Recorder::forget() {
  process_ = 0;
  run_keys_.clear();
  series_keys_.clear();
  series_.clear();
  touched_.clear();
}

std::int64_t Recorder::key_of(const std::string& run) {
  const auto known = run_keys_.find(run);
  if (known != run_keys_.end()) {
    return known->second;
  }
  const std::int64_t key = connection_.integer("SELECT key FROM runs WHERE id = ?", {run});
  if (key == 0) {
    throw unknown("run", run);
  }
  run_keys_.emplace(run, key);
  return key;
}

std::int64_t Recorder::sweep_key_of(const std::string& sweep) {
  const std::int64_t key = connection_.integer("SELECT key FROM sweeps WHERE id = ?", {sweep});
  if (key == 0) {
    throw unknown("sweep", sweep);
  }
  return key;
}

std::int64_t Recorder::process() {
  if (process_ == 0) {
    process_ = connection_.integer(
        "SELECT key FROM processes WHERE pid = ? AND start_ticks = ? AND boot_id = ? "
        "AND pid_namespace = ?",
        {owner_.pid, owner_.start_ticks, owner_.boot_id, owner_.pid_namespace});
  }
  if (process_ == 0) {
    connection_.run(
        "INSERT INTO processes (pid, start_ticks, boot_id, pid_namespace, host, heartbeat_ms) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        {owner_.pid, owner_.start_ticks, owner_.boot_id, owner_.pid_namespace, owner_.host,
         now_ms()});
    process_ = connection_.last_rowid();
  }
  return process_;
}

void Recorder::beat() {
  connection_.run(
      "UPDATE processes SET heartbeat_ms = ? WHERE key = ? AND (key IN (SELECT owner FROM runs "
      "WHERE owner IS NOT NULL) OR key IN (SELECT owner FROM sweeps WHERE owner IS NOT NULL))",
      {now_ms(), process_});
}

std::string Recorder::store_spec(const Json& document) {
  const std::string text = json_text(document);
  std::string hash = sha256_hex(text);
  connection_.run("INSERT INTO specs (hash, document) VALUES (?, ?) ON CONFLICT DO NOTHING",
                  {hash, text});
  return hash;
}

void Recorder::set_state(std::int64_t run, RunState state, std::int64_t step) {
  connection_.run("UPDATE runs SET state = ? WHERE key = ?", {name_of(state), run});
  connection_.run("INSERT INTO state_changes (run, time_ms, step, state) VALUES (?, ?, ?, ?)",
                  {run, now_ms(), step, name_of(state)});
  touch(run);
}

void Recorder::on(const SweepCreated& event) {
  connection_.run(
      "INSERT INTO sweeps (id, name, spec, state, created_ms, owner) VALUES (?, ?, ?, 'running', "
      "?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, spec = excluded.spec, "
      "state = 'running', ended_ms = 0, owner = excluded.owner",
      {event.sweep, event.name, json_text(event.spec), now_ms(), process()});
  const std::int64_t sweep = sweep_key_of(event.sweep);
  for (const PlannedPoint& point : event.points) {
    connection_.run(
        "INSERT INTO points (sweep, point, run, label, spec, predicted_peak_bytes, "
        "predicted_params, predicted_stored_bytes, predicted_flops_per_step, excluded_because) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sweep, point) DO UPDATE SET "
        "run = excluded.run, label = excluded.label, spec = excluded.spec, "
        "predicted_peak_bytes = excluded.predicted_peak_bytes, "
        "predicted_params = excluded.predicted_params, "
        "predicted_stored_bytes = excluded.predicted_stored_bytes, "
        "predicted_flops_per_step = excluded.predicted_flops_per_step, "
        "excluded_because = excluded.excluded_because",
        {sweep, point.index, point.run, point.label, store_spec(point.spec),
         point.predicted_peak_bytes, point.predicted_params, point.predicted_stored_bytes,
         point.predicted_flops_per_step, point.excluded_because});
  }
}

void Recorder::on(const RunCreated& event) {
  const SqlValue sweep =
      event.sweep.empty() ? SqlValue(nullptr) : SqlValue(sweep_key_of(event.sweep));
  connection_.run(
      "INSERT INTO runs (id, name, sweep, point, kind, parent, spec, replicate_group, state, "
      "created_ms, predicted_peak_bytes, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, spec = excluded.spec, "
      "replicate_group = excluded.replicate_group, predicted_peak_bytes = "
      "excluded.predicted_peak_bytes, owner = excluded.owner, "
      "ended_ms = 0, error_kind = 0, error = '', remedy = ''",
      {event.run, event.name, sweep, event.point, event.kind, event.parent, store_spec(event.spec),
       replicate_group(event.spec), now_ms(), event.predicted_peak_bytes, process()});
  const std::int64_t run = key_of(event.run);
  store_params(connection_, params_, run, event.spec);
  set_state(run, RunState::kQueued, 0);
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    connection_.run(
        "INSERT INTO ledger_peaks (run, source, category, bytes) VALUES (?, 'predicted', ?, ?) "
        "ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
        {run, kCategoryNames[i], event.predicted_by_category[i]});
  }
}

void Recorder::on(const RunStarted& event) {
  const std::int64_t run = key_of(event.run);
  connection_.run(
      "INSERT INTO attempts (run, attempt, from_step, total_steps, started_ms, environment, "
      "data_digest) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, attempt) DO UPDATE SET "
      "from_step = excluded.from_step, total_steps = excluded.total_steps, "
      "started_ms = excluded.started_ms, environment = excluded.environment, "
      "data_digest = excluded.data_digest",
      {run, event.attempt, event.from_step, event.total_steps, now_ms(),
       json_text(event.environment), event.data_digest});
  connection_.run(
      "UPDATE runs SET total_steps = ?, step = ?, ended_ms = 0, error_kind = 0, error = '', "
      "remedy = '', owner = ?, started_ms = CASE started_ms WHEN 0 THEN ? ELSE started_ms END "
      "WHERE key = ?",
      {event.total_steps, event.from_step, process(), now_ms(), run});
  rewind(run, event.from_step);
  set_state(run, RunState::kRunning, event.from_step);
}

void Recorder::on(const CheckpointSaved& event) {
  connection_.run(
      "INSERT INTO checkpoints (run, step, path, bytes, time_ms) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (run, step) DO UPDATE SET path = excluded.path, bytes = excluded.bytes, "
      "time_ms = excluded.time_ms",
      {key_of(event.run), event.step, event.path, event.bytes, now_ms()});
}

void Recorder::on(const CheckpointRemoved& event) {
  connection_.run("DELETE FROM checkpoints WHERE run = ? AND step = ?",
                  {key_of(event.run), event.step});
}

void Recorder::on(const DigestTaken& event) {
  connection_.run(
      "INSERT INTO digests (run, step, digest) VALUES (?, ?, ?) "
      "ON CONFLICT DO UPDATE SET digest = excluded.digest",
      {key_of(event.run), event.step, event.digest});
}

void Recorder::on(const LiveChanged& event) {
  connection_.run(
      "INSERT INTO live_changes (run, step, param, value) VALUES (?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET value = excluded.value",
      {key_of(event.run), event.step, event.param, event.value});
}

void Recorder::on(const RunPaused& event) {
  set_state(key_of(event.run), RunState::kPaused, event.step);
}

void Recorder::on(const RunResumed& event) {
  set_state(key_of(event.run), RunState::kRunning, event.step);
}

void Recorder::on(const RunFinished& event) {
  const std::int64_t run = key_of(event.run);
  connection_.run("UPDATE runs SET step = ?, ended_ms = ?, owner = NULL WHERE key = ?",
                  {event.step, now_ms(), run});
  set_state(run, event.state, event.step);
  forget_run(run);
}

void Recorder::on(const RunFailed& event) {
  const std::int64_t run = key_of(event.run);
  connection_.run(
      "UPDATE runs SET step = ?, ended_ms = ?, owner = NULL, error_kind = ?, error = ?, "
      "remedy = ? WHERE key = ?",
      {event.step, now_ms(), std::int64_t{exit_code(event.error.kind)}, event.error.message,
       event.error.remedy, run});
  set_state(run, RunState::kFailed, event.step);
  forget_run(run);
}

void Recorder::on(const SweepFinished& event) {
  const std::string_view state = event.stopped ? "stopped" : event.failed > 0 ? "partial" : "done";
  connection_.run("UPDATE sweeps SET state = ?, ended_ms = ?, owner = NULL WHERE key = ?",
                  {state, now_ms(), sweep_key_of(event.sweep)});
}

void Recorder::on(const ReplayVerdict& event) {
  touch(key_of(event.original));
  connection_.run(
      "INSERT INTO replays (original, replay, verdict, first_difference, detail, time_ms) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      {event.original, event.replay, event.verdict, event.first_difference, event.detail,
       now_ms()});
}

void Recorder::on(const LogLine& event) {
  const SqlValue run = event.run.empty() ? SqlValue(nullptr) : SqlValue(key_of(event.run));
  connection_.run("INSERT INTO log (run, time_ms, level, text) VALUES (?, ?, ?, ?)",
                  {run, event.time_ms, name_of(event.level), event.text});
}

}  // namespace lathe::storage
