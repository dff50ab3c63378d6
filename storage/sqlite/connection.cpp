// See connection.h: a thin layer over SQLiteCpp.
#include "storage/sqlite/connection.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <limits>

#include "storage/sqlite/errors.h"

namespace lathe::storage {
namespace {

// Every call into SQLiteCpp goes through here.
template <typename Call>
auto translated(const std::string& file, Call&& call) {
  try {
    return call();
  } catch (const SQLite::Exception& exception) {
    throw failure_of(exception, file);
  }
}

void bind_one(SQLite::Statement& statement, int index, const SqlValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    statement.bind(index, *whole);
  } else if (const auto* real = std::get_if<double>(&value)) {
    statement.bind(index, *real);
  } else if (const auto* text = std::get_if<std::string_view>(&value)) {
    statement.bind(index, std::string(*text));
  } else if (const auto* bytes = std::get_if<std::span<const std::byte>>(&value)) {
    statement.bindNoCopy(index, bytes->data(), static_cast<int>(bytes->size()));
  } else {
    statement.bind(index);
  }
}

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly:
      return SQLite::OPEN_READONLY;
    case OpenMode::kImmutable:
      return SQLite::OPEN_READONLY | SQLite::OPEN_URI;
    case OpenMode::kReadWrite:
      return SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
  }
  return 0;
}

// A file name as a URI: only what a URI gives a meaning to is escaped.
std::string immutable_uri(const std::string& file) {
  std::string uri = "file:";
  for (const char c : file) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    if (c == '%' || c == '?' || c == '#') {
      const auto byte = static_cast<unsigned char>(c);
      uri += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

void call_text_of_blob(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto* function = static_cast<const Connection::TextOfBlob*>(sqlite3_user_data(context));
  const auto* data = static_cast<const std::byte*>(sqlite3_value_blob(arguments[0]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
  try {
    const std::string text = (*function)({data, size}, sqlite3_value_int64(arguments[1]));
    sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  } catch (const std::exception& failure) {
    sqlite3_result_error(context, failure.what(), -1);
  }
}

int allow_only_reading(void*, int action, const char*, const char*, const char*, const char*) {
  const bool reads = action == SQLITE_SELECT || action == SQLITE_READ ||
                     action == SQLITE_FUNCTION || action == SQLITE_RECURSIVE;
  return reads ? SQLITE_OK : SQLITE_DENY;
}

int past_deadline(void* deadline) {
  const auto& at = *static_cast<std::chrono::steady_clock::time_point*>(deadline);
  return at != std::chrono::steady_clock::time_point{} && std::chrono::steady_clock::now() > at;
}

}  // namespace

Statement::Statement(SQLite::Database& database, const std::string& file, const std::string& sql)
    : file_(file),
      statement_(
          translated(file, [&] { return std::make_unique<SQLite::Statement>(database, sql); })) {}

Statement::~Statement() = default;

Statement& Statement::bind(std::span<const SqlValue> values) {
  translated(file_, [&] {
    statement_->tryReset();
    int index = 0;
    for (const SqlValue& value : values) {
      bind_one(*statement_, ++index, value);
    }
  });
  return *this;
}

bool Statement::step() {
  return translated(file_, [&] { return statement_->executeStep(); });
}

void Statement::reset() {
  statement_->tryReset();
}

std::int64_t Statement::integer(int column) const {
  return statement_->getColumn(column).getInt64();
}

double Statement::real(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN()
                         : statement_->getColumn(column).getDouble();
}

std::string Statement::text(int column) const {
  return statement_->getColumn(column).getString();
}

std::span<const std::byte> Statement::blob(int column) const {
  const SQLite::Column value = statement_->getColumn(column);
  const auto* data = static_cast<const std::byte*>(value.getBlob());
  return {data, data == nullptr ? 0 : static_cast<std::size_t>(value.getBytes())};
}

bool Statement::is_null(int column) const {
  return statement_->getColumn(column).isNull();
}

Json Statement::json(int column) const {
  const SQLite::Column value = statement_->getColumn(column);
  if (value.isInteger()) {
    return value.getInt64();
  }
  if (value.isFloat()) {
    return value.getDouble();
  }
  if (value.isText()) {
    return value.getString();
  }
  if (value.isBlob()) {
    return std::to_string(value.getBytes()) + " bytes";
  }
  return nullptr;
}

int Statement::column_count() const {
  return statement_->getColumnCount();
}

std::string Statement::column_name(int column) const {
  return statement_->getColumnName(column);
}

Connection::Connection(const std::string& file, OpenMode mode,
                       std::chrono::milliseconds busy_timeout)
    : file_(file) {
  const std::string name = mode == OpenMode::kImmutable ? immutable_uri(file) : file;
  translated(file_, [&] {
    database_ = std::make_unique<SQLite::Database>(name, open_flags(mode),
                                                   static_cast<int>(busy_timeout.count()));
  });
  sqlite3_extended_result_codes(database_->getHandle(), 1);
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  constexpr int kInstructionsBetweenLooks = 10'000;
  sqlite3_progress_handler(database_->getHandle(), kInstructionsBetweenLooks, past_deadline,
                           &deadline_);
}

Connection::~Connection() = default;

Statement& Connection::prepare(std::string_view sql, std::span<const SqlValue> values) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    std::string text(sql);
    auto statement = std::make_unique<Statement>(*database_, file_, text);
    found = statements_.emplace(std::move(text), std::move(statement)).first;
  }
  return found->second->bind(values);
}

std::unique_ptr<Statement> Connection::prepare_once(const std::string& sql) {
  return std::make_unique<Statement>(*database_, file_, sql);
}

void Connection::run(std::string_view sql, std::span<const SqlValue> values) {
  Statement& statement = prepare(sql, values);
  while (statement.step()) {
  }
  statement.reset();
}

void Connection::script(const std::string& sql) {
  translated(file_, [&] { database_->exec(sql); });
}

std::int64_t Connection::integer(std::string_view sql, std::initializer_list<SqlValue> values) {
  Statement& statement = prepare(sql, values);
  const std::int64_t value = statement.step() ? statement.integer(0) : 0;
  statement.reset();
  return value;
}

std::string Connection::text(std::string_view sql, std::initializer_list<SqlValue> values) {
  Statement& statement = prepare(sql, values);
  std::string value = statement.step() ? statement.text(0) : "";
  statement.reset();
  return value;
}

std::int64_t Connection::changes() const {
  return database_->getChanges();
}

std::int64_t Connection::last_rowid() const {
  return database_->getLastInsertRowid();
}

void Connection::define(const char* name, TextOfBlob function) {
  functions_.push_back(std::make_unique<TextOfBlob>(std::move(function)));
  translated(file_, [&] {
    database_->createFunction(name, 2, true, functions_.back().get(), call_text_of_blob);
  });
}

void Connection::forbid_writing() {
  sqlite3_set_authorizer(database_->getHandle(), allow_only_reading, nullptr);
}

void Connection::check_only_reads(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  sqlite3* handle = database_->getHandle();
  const int code =
      sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &raw, &tail);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
  const std::string rest = tail == nullptr ? "" : std::string(tail, sql.data() + sql.size());
  if (code != SQLITE_OK) {
    throw SqlFailure({ErrorKind::kUsage,
                      std::string("the query is refused: ") + sqlite3_errmsg(handle),
                      "only a SELECT over the tables of docs/store.md is legal"});
  }
  if (raw == nullptr || sqlite3_stmt_readonly(raw) == 0 ||
      rest.find_first_not_of(" \t\r\n;") != std::string::npos) {
    throw SqlFailure({ErrorKind::kUsage, "the query is not one SELECT: " + sql,
                      "write a single statement that reads"});
  }
}

void Connection::set_deadline(std::chrono::steady_clock::time_point deadline) {
  deadline_ = deadline;
}

Transaction::Transaction(Connection& connection)
    : file_(connection.file()), transaction_(translated(file_, [&] {
        return std::make_unique<SQLite::Transaction>(*connection.database_,
                                                     SQLite::TransactionBehavior::IMMEDIATE);
      })) {}

Transaction::~Transaction() = default;

void Transaction::commit() {
  translated(file_, [&] { transaction_->commit(); });
}

}  // namespace lathe::storage
