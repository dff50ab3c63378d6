// JSON as the store keeps it: compact, keys in their order, bytes that are no UTF-8 replaced (a
// path may hold any bytes; a record must not fail for them).
#pragma once

#include <string>

#include "engine/base/json.h"

namespace lathe::storage {

inline std::string json_text(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lathe::storage
