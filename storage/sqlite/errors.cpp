// See errors.h. The numbers are those of https://www.sqlite.org/rescode.html.
#include "storage/sqlite/errors.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <cstring>

namespace lathe::storage {
namespace {

constexpr const char* kAnotherStore = "name another file with --store FILE";

Error disk_error(const std::string& file, const std::string& what) {
  return {ErrorKind::kDisk, "the store " + file + " cannot be written: " + what,
          "free space or make the folder writable, or " + std::string(kAnotherStore)};
}

Error damaged(const std::string& file, const std::string& what) {
  return {ErrorKind::kStore, "the store " + file + " is damaged (" + what + ")",
          "keep a copy, then save what can be read with: sqlite3 '" + file +
              "' .recover | sqlite3 NEW.db; or " + kAnotherStore};
}

Error locked(const std::string& file) {
  return {ErrorKind::kStore, "the store " + file + " is locked by another process",
          "wait for it to end its transaction, or close the program that holds it"};
}

}  // namespace

SqlFailure failure_of(const SQLite::Exception& exception, const std::string& file) {
  const int code = exception.getErrorCode() & 0xff;
  const int extended = exception.getExtendedErrorCode();
  const std::string what = exception.what();
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return SqlFailure(locked(file), true);
    case SQLITE_FULL:
      return SqlFailure(disk_error(file, "the disk or quota is full"));
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return SqlFailure(disk_error(file, "it is read-only"));
    case SQLITE_IOERR:
      if (extended == SQLITE_IOERR_NOMEM) {
        break;
      }
      return SqlFailure(disk_error(file, what));
    case SQLITE_CANTOPEN:
      return SqlFailure(disk_error(file, "it cannot be opened or created there"));
    case SQLITE_NOTADB:
      return SqlFailure(
          {ErrorKind::kStore, "the store " + file + " is not a database",
           "it was overwritten or is another kind of file: restore it from a copy, or " +
               std::string(kAnotherStore)});
    case SQLITE_CORRUPT:
      return SqlFailure(damaged(file, what));
    case SQLITE_CONSTRAINT:
      return SqlFailure({ErrorKind::kFailed, "the store " + file + " refused a row: " + what, ""},
                        false, true);
    case SQLITE_NOMEM:
      break;
    case SQLITE_INTERRUPT:
      return SqlFailure({ErrorKind::kUsage, "the query took too long and was ended",
                         "ask for fewer rows (LIMIT, WHERE run = ...)"});
    case SQLITE_AUTH:
      return SqlFailure({ErrorKind::kUsage, "the query may only read: " + what,
                         "use one SELECT; rename, tag and rm change a run"});
    default:
      return SqlFailure({ErrorKind::kFailed, "the store " + file + ": " + what, ""});
  }
  return SqlFailure(
      {ErrorKind::kOutOfMemory, "no memory for reading or writing the store " + file, ""});
}

}  // namespace lathe::storage
