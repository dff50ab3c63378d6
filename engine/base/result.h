// Expected failure as a value: Result<T> holds a T or an Error that names the thing, the value,
// what is legal and the remedy. GCC 12 has no std::expected in C++20.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "engine/base/check.h"

namespace lathe {

// What went wrong, in the terms of the command line's exit codes (docs/exit-codes.md).
enum class ErrorKind {
  kFailed = 1,        // the engine failed for a reason not listed below
  kUsage = 2,         // command line or config wrong
  kDiverged = 3,      // a metric became non-finite
  kOutOfMemory = 4,   // device or host
  kMismatch = 5,      // replay or export verification differs
  kStore = 6,         // store locked, damaged or newer than the program
  kDisk = 7,          // disk full, read-only or quota
  kData = 8,          // model or data unreadable or of an unknown kind
  kPartial = 9,       // the sweep finished, some points failed
  kDevice = 10,       // the requested device is not there
  kInterrupted = 130  // stopped on request, state saved
};

// The process exit code of an error kind.
constexpr int exit_code(ErrorKind kind) {
  return static_cast<int>(kind);
}

// One sentence of what happened (with the value and what is legal), one of what to do.
struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;
  std::string remedy;

  // "message; remedy", or the message alone where there is no remedy.
  std::string text() const { return remedy.empty() ? message : message + "; " + remedy; }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & {
    CHECK(ok(), error_text());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok(), error_text());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok(), error_text());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  const Error& error() const {
    CHECK(!ok(), "error() of a successful result");
    return std::get<1>(state_);
  }

 private:
  std::string error_text() const { return ok() ? "" : std::get<1>(state_).text(); }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    CHECK(!ok(), "error() of a successful result");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace lathe
