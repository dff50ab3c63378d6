// SQLite's result codes in the user's terms: which file, what is wrong with it, what to do.
#pragma once

#include <string>

#include "storage/sqlite/connection.h"

namespace SQLite {
class Exception;
}

namespace lathe::storage {

SqlFailure failure_of(const SQLite::Exception& exception, const std::string& file);

}  // namespace lathe::storage
