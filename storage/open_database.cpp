// See open_database.h.
#include "storage/open_database.h"

#include <unistd.h>

#include <filesystem>
#include <thread>

#include "storage/run_store.h"
#include "storage/schema.h"

namespace lathe::storage {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kReaderPatience{5'000};

void make_folder(const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  std::error_code failed;
  if (!folder.empty() && !fs::exists(folder, failed)) {
    fs::create_directories(folder, failed);
  }
  if (failed) {
    throw SqlFailure({ErrorKind::kDisk,
                      "cannot create the folder of the store " + file + ": " + failed.message(),
                      "name a writable place with --store FILE"});
  }
}

// SQLite does not wait for a lock when the journal mode changes, so two processes that create one
// file at the same time have to try again.
void enter_wal(Connection& connection, milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    try {
      const std::string mode = connection.text("PRAGMA journal_mode = WAL");
      if (mode == "wal") {
        return;
      }
      throw SqlFailure({ErrorKind::kStore,
                        "the store " + connection.file() + " lies where SQLite's WAL does not work",
                        "name a file on a local disk with --store FILE"});
    } catch (const SqlFailure& failure) {
      if (!failure.transient() || std::chrono::steady_clock::now() > deadline) {
        throw;
      }
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
}

// Without its -wal file a database that nobody can write needs no locks; with one it cannot be
// read.
bool on_read_only_medium(const std::string& file) {
  const std::string folder = fs::absolute(file).parent_path().string();
  return access(folder.c_str(), W_OK) != 0 && !fs::exists(file + "-wal");
}

}  // namespace

std::unique_ptr<Connection> open_for_writing(const std::string& file, milliseconds busy_timeout) {
  make_folder(file);
  auto connection = std::make_unique<Connection>(file, OpenMode::kReadWrite, busy_timeout);
  check_ours(*connection);  // before anything is changed, even the journal mode
  enter_wal(*connection, busy_timeout);
  connection->script(
      "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF; "
      "PRAGMA journal_size_limit = 67108864");
  migrate(*connection, migrations());
  return connection;
}

std::unique_ptr<Connection> open_for_reading(const std::string& file) {
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    throw SqlFailure({ErrorKind::kUsage, "there is no store " + file,
                      "`lathe run` or `lathe sweep` begins one; --store FILE names another"});
  }
  const OpenMode mode = on_read_only_medium(file) ? OpenMode::kImmutable : OpenMode::kReadOnly;
  auto connection = std::make_unique<Connection>(file, mode, kReaderPatience);
  if (readable(*connection) == Readable::kAfterMigration) {
    connection.reset();
    open_for_writing(file, kReaderPatience);
    connection = std::make_unique<Connection>(file, mode, kReaderPatience);
  }
  return connection;
}

Result<void> check_store(const std::string& file) {
  return guarded([&] {
    const std::unique_ptr<Connection> connection = open_for_reading(file);
    const std::string found = connection->text("PRAGMA integrity_check(1)");
    if (found != "ok") {
      throw SqlFailure({ErrorKind::kStore, "the store " + file + " is damaged (" + found + ")",
                        "keep a copy, then save what can be read with: sqlite3 '" + file +
                            "' .recover | sqlite3 NEW.db"});
    }
    Statement& orphan = connection->prepare("PRAGMA foreign_key_check");
    const bool has_orphan = orphan.step();
    const std::string table = has_orphan ? orphan.text(0) : "";
    orphan.reset();
    if (has_orphan) {
      throw SqlFailure(
          {ErrorKind::kStore,
           "the store " + file + " is damaged (a row of " + table + " belongs to nothing)",
           "restore it from a copy"});
    }
  });
}

}  // namespace lathe::storage
