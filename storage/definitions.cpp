// See definitions.h.
#include "storage/definitions.h"

#include "experiments/metrics.h"
#include "experiments/run_spec.h"

namespace lathe::storage {
namespace {

std::string_view name_of(experiments::Better better) {
  switch (better) {
    case experiments::Better::kLower:
      return "lower";
    case experiments::Better::kHigher:
      return "higher";
    case experiments::Better::kNeither:
      return "neither";
  }
  return "neither";
}

}  // namespace

std::vector<ParamTable> store_definitions(Connection& connection) {
  Transaction transaction(connection);
  for (const experiments::MetricDef& def : experiments::metric_defs()) {
    connection.run(
        "INSERT INTO metric_defs (id, unit, better, log_scale, deterministic, help) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET unit = excluded.unit, "
        "better = excluded.better, log_scale = excluded.log_scale, "
        "deterministic = excluded.deterministic, help = excluded.help",
        {def.id, def.unit, name_of(def.better), std::int64_t{def.log_scale},
         std::int64_t{def.deterministic}, def.help});
  }
  std::vector<ParamTable> tables = update_param_tables(connection, experiments::run_spec_params());
  transaction.commit();
  return tables;
}

}  // namespace lathe::storage
