// Opening the file for writing or for reading, with everything checked that can be checked cheaply.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "storage/sqlite/connection.h"

namespace lathe::storage {

// Creates the file and its folders if absent, migrates it, sets up WAL. Throws SqlFailure.
std::unique_ptr<Connection> open_for_writing(const std::string& file,
                                             std::chrono::milliseconds busy_timeout);

// The file must exist; one of an older version is migrated first. Also works on a medium that
// cannot be written. Throws SqlFailure.
std::unique_ptr<Connection> open_for_reading(const std::string& file);

}  // namespace lathe::storage
