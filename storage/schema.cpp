// See schema.h. Versions are kept in PRAGMA user_version; who made them, in the table migrations.
#include "storage/schema.h"

#include <filesystem>

#include "engine/base/build_info.h"
#include "storage/clock.h"

namespace lathe::storage {
namespace {

std::int64_t version_of(Connection& connection) {
  return connection.integer("PRAGMA user_version");
}

bool is_empty(Connection& connection) {
  return connection.integer("SELECT count(*) FROM sqlite_schema") == 0;
}

std::string this_program() {
  return build_info().version + " (" + build_info().commit + ")";
}

[[noreturn]] void refuse_newer(Connection& connection, std::int64_t known) {
  const std::int64_t version = version_of(connection);
  const std::string program =
      connection.text("SELECT program FROM migrations ORDER BY version DESC LIMIT 1");
  throw SqlFailure({ErrorKind::kStore,
                    "the store " + connection.file() + " has version " + std::to_string(version) +
                        ", made by Lathe " + program + "; this is Lathe " + this_program() +
                        ", which knows versions up to " + std::to_string(known),
                    "use Lathe " + program + " or newer, or name another file with --store FILE"});
}

// FILE.v<version>.bak, with a number where that is taken.
std::string free_backup_name(const std::string& file, std::int64_t version) {
  const std::string base = file + ".v" + std::to_string(version);
  std::string name = base + ".bak";
  for (int i = 2; std::filesystem::exists(name); ++i) {
    name = base + "." + std::to_string(i) + ".bak";
  }
  return name;
}

void apply(Connection& connection, const Migration& step) {
  connection.script(std::string(step.sql));
  connection.run("INSERT INTO migrations (version, program, time_ms) VALUES (?, ?, ?)",
                 {step.version, this_program(), now_ms()});
  connection.script("PRAGMA user_version = " + std::to_string(step.version));
}

}  // namespace

std::int64_t schema_version() {
  return migrations().back().version;
}

void migrate(Connection& connection, std::span<const Migration> steps) {
  const std::int64_t target = steps.back().version;
  const std::int64_t found = version_of(connection);
  if (found == target) {
    return;
  }
  if (found > target) {
    refuse_newer(connection, target);
  }
  if (found > 0) {
    connection.run("VACUUM INTO ?", {free_backup_name(connection.file(), found)});
  }
  Transaction transaction(connection);
  if (version_of(connection) > target) {  // another process was faster and is newer
    refuse_newer(connection, target);
  }
  connection.script("PRAGMA application_id = " + std::to_string(kApplicationId));
  for (const Migration& step : steps) {
    if (step.version > version_of(connection)) {
      apply(connection, step);
    }
  }
  transaction.commit();
}

void check_ours(Connection& connection) {
  if (!is_empty(connection) && connection.integer("PRAGMA application_id") != kApplicationId) {
    throw SqlFailure({ErrorKind::kStore,
                      connection.file() + " is an SQLite database, but not a Lathe store",
                      "name another file with --store FILE"});
  }
}

Readable readable(Connection& connection) {
  if (is_empty(connection)) {
    throw SqlFailure({ErrorKind::kStore, "the store " + connection.file() + " is empty",
                      "`lathe run` or `lathe sweep` begins a store"});
  }
  check_ours(connection);
  const std::int64_t version = version_of(connection);
  if (version > schema_version()) {
    const std::int64_t readable_from =
        connection.integer("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'readable_from'");
    if (readable_from == 0 || readable_from > schema_version()) {
      refuse_newer(connection, schema_version());
    }
  }
  return version < schema_version() ? Readable::kAfterMigration : Readable::kNow;
}

}  // namespace lathe::storage
