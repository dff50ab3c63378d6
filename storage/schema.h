// The versions of the store's tables and the way from one to the next. docs/store.md describes the
// tables of the newest version.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "storage/sqlite/connection.h"

namespace lathe::storage {

// Marks a file as ours ("LATH"), see PRAGMA application_id.
inline constexpr std::int64_t kApplicationId = 0x4C415448;

struct Migration {
  std::int64_t version = 0;
  std::string_view sql;  // from version - 1 to version
};

// All of them, oldest first, versions 1, 2, ... A published entry is never changed.
std::span<const Migration> migrations();

// The version that this program reads and writes.
std::int64_t schema_version();

// Throws kStore if the file holds another program's tables. Changes nothing.
void check_ours(Connection& connection);

// Brings the tables to the last of `steps`. An existing file of an older version is copied beside
// it first ("FILE.v1.bak"). Throws kStore if the file is newer. Several processes may do this at
// once.
void migrate(Connection& connection, std::span<const Migration> steps);

enum class Readable { kNow, kAfterMigration };

// Throws kStore unless the file is ours and not empty and, if it is newer, marked as readable by
// programs that know only this version (meta, "readable_from").
Readable readable(Connection& connection);

}  // namespace lathe::storage
