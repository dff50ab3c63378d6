// See run_admin.h.
#include "storage/run_admin.h"

#include <algorithm>
#include <set>

#include "storage/clock.h"

namespace lathe::storage {
namespace {

struct KeyedRun {
  std::int64_t key = 0;
  std::string id;
};

std::vector<std::int64_t> dead_processes(Connection& connection) {
  Statement& row = connection.prepare(
      "SELECT owner FROM runs WHERE owner IS NOT NULL "
      "UNION SELECT owner FROM sweeps WHERE owner IS NOT NULL");
  std::vector<std::int64_t> owners;
  while (row.step()) {
    owners.push_back(row.integer(0));
  }
  row.reset();
  std::erase_if(owners, [&](std::int64_t owner) { return process_lives(connection, owner); });
  return owners;
}

std::vector<KeyedRun> runs_of(Connection& connection, std::int64_t owner) {
  Statement& row = connection.prepare("SELECT key, id FROM runs WHERE owner = ?", {owner});
  std::vector<KeyedRun> runs;
  while (row.step()) {
    runs.push_back({row.integer(0), row.text(1)});
  }
  row.reset();
  return runs;
}

}  // namespace

bool process_lives(Connection& connection, std::int64_t process) {
  Statement& row = connection.prepare(
      "SELECT pid, start_ticks, boot_id, pid_namespace, host, heartbeat_ms FROM processes "
      "WHERE key = ?",
      {process});
  if (!row.step()) {
    row.reset();
    return false;
  }
  const Owner owner{row.integer(0), row.integer(1), row.text(2), row.text(3), row.text(4)};
  const std::int64_t heartbeat_ms = row.integer(5);
  row.reset();
  return is_alive(owner, now_ms() - heartbeat_ms);
}

void set_tags(Connection& connection, Recorder& recorder, const std::string& run,
              const std::vector<std::string>& tags) {
  const std::int64_t key = recorder.key_of(run);
  connection.run("DELETE FROM tags WHERE run = ?", {key});
  for (const std::string& tag : tags) {
    connection.run("INSERT INTO tags (run, tag) VALUES (?, ?) ON CONFLICT DO NOTHING", {key, tag});
  }
  recorder.touch(key);
}

void set_note(Connection& connection, Recorder& recorder, const std::string& run,
              const std::string& note) {
  const std::int64_t key = recorder.key_of(run);
  connection.run("UPDATE runs SET note = ? WHERE key = ?", {note, key});
  recorder.touch(key);
}

void rename_run(Connection& connection, Recorder& recorder, const std::string& run,
                const std::string& name) {
  const std::int64_t key = recorder.key_of(run);
  connection.run("UPDATE runs SET name = ? WHERE key = ?", {name, key});
  recorder.touch(key);
}

void trash_run(Connection& connection, Recorder& recorder, const std::string& run) {
  const std::int64_t key = recorder.key_of(run);
  const std::int64_t owner = connection.integer("SELECT owner FROM runs WHERE key = ?", {key});
  if (owner != 0 && process_lives(connection, owner)) {
    throw SqlFailure({ErrorKind::kUsage, "run " + run + " is going on", "stop it first"});
  }
  connection.run("UPDATE runs SET trashed_ms = ? WHERE key = ? AND trashed_ms = 0",
                 {now_ms(), key});
  recorder.touch(key);
}

void restore_run(Connection& connection, Recorder& recorder, const std::string& run) {
  const std::int64_t key = recorder.key_of(run);
  connection.run("UPDATE runs SET trashed_ms = 0 WHERE key = ?", {key});
  recorder.touch(key);
}

std::vector<std::string> purge_trash(Connection& connection, Recorder& recorder) {
  std::vector<std::string> paths;
  Statement& row = connection.prepare(
      "SELECT path FROM checkpoints JOIN runs ON runs.key = run WHERE trashed_ms > 0 "
      "ORDER BY run, checkpoints.step");
  while (row.step()) {
    paths.push_back(row.text(0));
  }
  row.reset();
  connection.run("UPDATE revision SET value = value + 1");
  connection.run(
      "INSERT INTO purged (run, revision) SELECT id, value FROM runs, revision "
      "WHERE trashed_ms > 0");
  connection.run(
      "DELETE FROM sweeps WHERE key IN (SELECT sweep FROM runs WHERE trashed_ms > 0) "
      "AND owner IS NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE sweep = sweeps.key "
      "AND trashed_ms = 0)");
  connection.run("DELETE FROM runs WHERE trashed_ms > 0");
  connection.run(
      "DELETE FROM specs WHERE hash NOT IN (SELECT spec FROM runs UNION SELECT spec FROM points)");
  recorder.forget();
  return paths;
}

std::vector<std::string> mark_dead_runs(Connection& connection, Recorder& recorder) {
  std::vector<std::string> marked;
  for (const std::int64_t owner : dead_processes(connection)) {
    for (const KeyedRun& run : runs_of(connection, owner)) {
      connection.run(
          "INSERT INTO state_changes (run, time_ms, step, state) SELECT key, ?, step, "
          "'interrupted' FROM runs WHERE key = ?",
          {now_ms(), run.key});
      connection.run(
          "UPDATE runs SET state = 'interrupted', owner = NULL, ended_ms = (SELECT heartbeat_ms "
          "FROM processes WHERE key = ?) WHERE key = ?",
          {owner, run.key});
      recorder.touch(run.key);
      marked.push_back(run.id);
    }
    connection.run(
        "UPDATE sweeps SET state = 'interrupted', owner = NULL, ended_ms = (SELECT heartbeat_ms "
        "FROM processes WHERE key = ?) WHERE owner = ?",
        {owner, owner});
  }
  std::sort(marked.begin(), marked.end());
  return marked;
}

}  // namespace lathe::storage
