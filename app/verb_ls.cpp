// lathe ls runs|sweeps|models|configs: what there is.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "app/cli.h"
#include "app/render.h"
#include "app/verb_list.h"
#include "engine/base/paths.h"
#include "engine/lm/installed_models.h"

namespace lathe::app {
namespace {

struct LsOptions {
  std::string what = "runs";
  bool trashed = false;
};

void print_rows(const Json& rows) {
  for (const Json& row : rows) {
    print_json(row);
  }
}

int list_runs(const GlobalOptions& options, bool trashed) {
  return with_catalog(options, [&](storage::RunCatalog& catalog) -> Result<void> {
    const auto runs = catalog.runs(trashed);
    if (!runs) {
      return runs.error();
    }
    if (options.json) {
      Json rows = Json::array();
      std::transform(runs->begin(), runs->end(), std::back_inserter(rows),
                     [](const storage::RunSummary& run) { return to_json(run); });
      print_rows(rows);
    } else if (runs->empty()) {
      fmt::print(stderr, "no runs yet; `lathe sweep sample` makes some\n");
    } else {
      fmt::print("{}", runs_table(*runs));
    }
    return {};
  });
}

int list_sweeps(const GlobalOptions& options) {
  return with_catalog(options, [&](storage::RunCatalog& catalog) -> Result<void> {
    const auto sweeps = catalog.sweeps();
    if (!sweeps) {
      return sweeps.error();
    }
    if (options.json) {
      for (const storage::SweepSummary& sweep : *sweeps) {
        print_json(to_json(sweep));
      }
    } else {
      fmt::print("{}", sweeps_table(*sweeps));
    }
    return {};
  });
}

// Files that are installed; then the runs that left a checkpoint, with their newest one.
int list_models(const GlobalOptions& options) {
  std::vector<std::vector<std::string>> files;
  for (const std::string& name : installed_models()) {
    const std::string path = find_model(name).string();
    if (options.json) {
      print_json(Json{{"name", name}, {"path", path}});
    }
    files.push_back({name, path});
  }
  if (!options.json && !files.empty()) {
    fmt::print("{}\n", table_text({{"model"}, {"file"}}, files));
  }
  std::error_code failed;
  if (!files.empty() && !std::filesystem::exists(store_path(options), failed)) {
    return 0;  // models are there before the first run
  }
  return with_catalog(options, [&](storage::RunCatalog& catalog) -> Result<void> {
    const auto runs = catalog.runs(false);
    if (!runs) {
      return runs.error();
    }
    std::vector<std::vector<std::string>> rows;
    for (const storage::RunSummary& summary : *runs) {
      const auto detail = catalog.run(summary.id);
      if (!detail) {
        return detail.error();
      }
      if (detail->checkpoints.empty()) {
        continue;
      }
      const storage::CheckpointRow& newest = detail->checkpoints.back();
      if (options.json) {
        print_json(Json{{"run", summary.id},
                        {"name", summary.name},
                        {"step", newest.step},
                        {"bytes", newest.bytes},
                        {"path", newest.path}});
      }
      rows.push_back({summary.id, summary.name, std::to_string(newest.step), newest.path});
    }
    if (!options.json) {
      fmt::print("{}", table_text({{"run"}, {"name"}, {"step", true}, {"checkpoint"}}, rows));
    }
    return {};
  });
}

int list_configs(const GlobalOptions& options) {
  const auto folder = find_asset("configs");
  if (!folder) {
    return report_error({ErrorKind::kFailed, "the configs that come with the program are missing",
                         "set LATHE_ASSETS to the folder that holds configs/"},
                        options);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    if (entry.path().extension() == ".json") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::vector<std::string>> rows;
  for (const std::filesystem::path& file : files) {
    if (options.json) {
      print_json(Json{{"name", file.stem().string()}, {"path", file.string()}});
    }
    rows.push_back({file.stem().string(), file.string()});
  }
  if (!options.json) {
    fmt::print("{}", table_text({{"config"}, {"file"}}, rows));
  }
  return 0;
}

}  // namespace

void add_ls(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<LsOptions>();
  CLI::App* verb =
      add_verb(root, cli, "ls", "List runs, sweeps, models or configs", [&cli, chosen] {
        if (chosen->what == "sweeps") {
          return list_sweeps(cli.options);
        }
        if (chosen->what == "models") {
          return list_models(cli.options);
        }
        return chosen->what == "configs" ? list_configs(cli.options)
                                         : list_runs(cli.options, chosen->trashed);
      });
  verb->add_option("what", chosen->what, "runs, sweeps, models (checkpoints) or configs")
      ->check(CLI::IsMember({"runs", "sweeps", "models", "configs"}))
      ->capture_default_str();
  verb->add_flag("--trashed", chosen->trashed, "also runs in the trash");
}

}  // namespace lathe::app
