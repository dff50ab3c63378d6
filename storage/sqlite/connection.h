// One SQLite connection with cached statements. SQLiteCpp and sqlite3.h stay behind this folder;
// everything here throws SqlFailure, which the public functions of storage turn into a Result.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

struct sqlite3;

namespace SQLite {
class Database;
class Statement;
class Transaction;
}  // namespace SQLite

namespace lathe::storage {

using Bytes = std::vector<std::byte>;

// What SQLite reported, in the user's terms. `transient`: another process held the lock for longer
// than the busy timeout; `refused`: the row breaks a constraint, the file is sound.
class SqlFailure : public std::exception {
 public:
  explicit SqlFailure(Error error, bool transient = false, bool refused = false)
      : error_(std::move(error)), transient_(transient), refused_(refused) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const Error& error() const { return error_; }
  bool transient() const { return transient_; }
  bool refused() const { return refused_; }

 private:
  Error error_;
  bool transient_;
  bool refused_;
};

// A parameter of a statement: NULL, integer, real (NaN is kept as NULL), text or blob. Text and
// blob are only looked at until the statement has been stepped.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string_view,
                              std::span<const std::byte>>;

class Statement {
 public:
  Statement(SQLite::Database& database, const std::string& file, const std::string& sql);
  ~Statement();

  // Begins anew with these parameters, in the order of the statement's question marks.
  Statement& bind(std::span<const SqlValue> values);
  // The next row; false at the end.
  bool step();
  // Lets go of the rows, so that the connection holds no read lock.
  void reset();

  // Columns of the current row, from 0. A NULL is 0, NaN, "" or no bytes.
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;  // valid until the next step
  bool is_null(int column) const;
  Json json(int column) const;  // by the value's own type; blobs as their length in words

  int column_count() const;
  std::string column_name(int column) const;

 private:
  std::string file_;
  std::unique_ptr<SQLite::Statement> statement_;
};

enum class OpenMode {
  kReadOnly,   // the file must exist
  kImmutable,  // as kReadOnly, on a medium that nobody can write
  kReadWrite,  // the file is created if absent
};

class Connection {
 public:
  Connection(const std::string& file, OpenMode mode, std::chrono::milliseconds busy_timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const std::string& file() const { return file_; }
  // The cached statement of this text, reset and bound.
  Statement& prepare(std::string_view sql, std::span<const SqlValue> values);
  Statement& prepare(std::string_view sql, std::initializer_list<SqlValue> values = {}) {
    return prepare(sql, std::span(values.begin(), values.size()));
  }
  // A statement of its own, not cached.
  std::unique_ptr<Statement> prepare_once(const std::string& sql);
  // Executes to the end, ignoring rows.
  void run(std::string_view sql, std::span<const SqlValue> values);
  void run(std::string_view sql, std::initializer_list<SqlValue> values = {}) {
    run(sql, std::span(values.begin(), values.size()));
  }
  // Several statements without parameters.
  void script(const std::string& sql);
  // The first column of the first row, 0 or "" if there is none.
  std::int64_t integer(std::string_view sql, std::initializer_list<SqlValue> values = {});
  std::string text(std::string_view sql, std::initializer_list<SqlValue> values = {});
  // Rows that the last statement changed; the rowid that it inserted.
  std::int64_t changes() const;
  std::int64_t last_rowid() const;

  // A function for SQL of this connection: one blob and one integer in, text out.
  using TextOfBlob = std::function<std::string(std::span<const std::byte>, std::int64_t)>;
  void define(const char* name, TextOfBlob function);
  // From now on every statement may only read, and none may attach a file or set a pragma.
  void forbid_writing();
  // Throws kUsage unless `sql` is one statement that can change nothing.
  void check_only_reads(const std::string& sql);
  // Statements that run past `deadline` fail with kUsage; a default time point: no deadline.
  void set_deadline(std::chrono::steady_clock::time_point deadline);

 private:
  friend class Transaction;
  std::string file_;
  std::unique_ptr<SQLite::Database> database_;
  std::map<std::string, std::unique_ptr<Statement>, std::less<>> statements_;
  std::vector<std::unique_ptr<TextOfBlob>> functions_;
  std::chrono::steady_clock::time_point deadline_;
};

// BEGIN IMMEDIATE ... commit(), or rolled back when it goes out of scope: the write lock is taken
// at the start, so that a transaction never fails half-way because another process writes.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  void commit();

 private:
  std::string file_;
  std::unique_ptr<SQLite::Transaction> transaction_;
};

// Calls `work` and turns a SqlFailure, or want of memory, into an Error.
template <typename Work>
auto guarded(Work&& work) -> Result<decltype(work())> {
  try {
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      return {};
    } else {
      return work();
    }
  } catch (const SqlFailure& failure) {
    return failure.error();
  } catch (const std::bad_alloc&) {
    return Error{ErrorKind::kOutOfMemory, "no memory for reading or writing the store", ""};
  }
}

}  // namespace lathe::storage
