// What the program declares and the store repeats for people who query it: metric definitions.
#pragma once

#include "storage/sqlite/connection.h"

namespace lathe::storage {

void store_definitions(Connection& connection);

}  // namespace lathe::storage
