// See logits_export.h.
#include "app/logits_export.h"

#include "app/open_model.h"
#include "app/run_model.h"
#include "engine/backend/failure.h"
#include "engine/lm/installed_models.h"

namespace lathe::app {
namespace {

Result<experiments::OpenedModel> open(const GlobalOptions& options, const std::string& model) {
  if (const std::filesystem::path path = find_model(model); !path.empty()) {
    return open_model_file(path, options, TextUse::kOptional);
  }
  auto catalog = storage::open_catalog(store_path(options));
  if (!catalog) {
    return catalog.error();
  }
  return open_run_model(**catalog, model, options);
}

}  // namespace

Result<LogitReport> export_logits(const GlobalOptions& options, const std::string& model,
                                  const LogitRequest& request, const EvalProgress& progress) {
  try {
    const auto opened = open(options, model);
    return opened ? write_logits(opened->model, request, progress) : opened.error();
  } catch (const std::exception& failure) {
    return error_of(failure, "give shorter sequences");
  }
}

}  // namespace lathe::app
