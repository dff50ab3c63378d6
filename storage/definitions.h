// What the program declares and the store repeats for people who query it: metric definitions, and
// a typed column for every parameter.
#pragma once

#include <vector>

#include "storage/param_table.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

// In one transaction; the tables that store_params fills.
std::vector<ParamTable> store_definitions(Connection& connection);

}  // namespace lathe::storage
