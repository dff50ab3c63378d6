// The parameters of a spec as typed columns, for people who query: one table per section of the
// spec (params_run, params_model, params_optim, ...) and per method (params_low_rank, ...). The
// canonical document in `specs` stays the truth; nothing but SQL reads these tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/params.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

struct ParamColumn {
  std::string name;
  ParamType type = ParamType::kInt;
  std::string pointer;  // JSON pointer into the spec document
};

struct ParamTable {
  std::string name;
  std::string section;  // JSON pointer: a run without this section has no row; "" for the head
  std::vector<ParamColumn> columns;
};

// Creates missing tables and columns; never drops one. A column whose type has changed since gets a
// successor named after the new type ("rank_real"). Within the caller's transaction.
std::vector<ParamTable> update_param_tables(Connection& connection,
                                            std::span<const ParamInfo> params);

// Writes the rows of a run. A value of another type than declared is left out.
void store_params(Connection& connection, std::span<const ParamTable> tables, std::int64_t run,
                  const Json& spec);

}  // namespace lathe::storage
