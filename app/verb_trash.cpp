// lathe rm, restore and gc: runs go to the trash, come back, and are removed for good.
#include <fmt/core.h>

#include <filesystem>

#include "app/cli.h"
#include "app/verb_list.h"

namespace lathe::app {
namespace {

using Change = Result<void> (storage::RunStore::*)(const std::string&);

// Applies a change to each named run; ids are resolved first, so that a wrong one changes nothing.
int change_runs(const GlobalOptions& options, const std::vector<std::string>& names, Change change,
                const char* done) {
  return with_store(options,
                    [&](storage::RunStore& store, storage::RunCatalog& catalog) -> Result<void> {
                      std::vector<std::string> ids;
                      for (const std::string& name : names) {
                        const auto detail = catalog.run(name);
                        if (!detail) {
                          return detail.error();
                        }
                        ids.push_back(detail->summary.id);
                      }
                      for (const std::string& id : ids) {
                        const Result<void> changed = (store.*change)(id);
                        if (!changed) {
                          return changed;
                        }
                        if (options.json) {
                          print_json(Json{{"run", id}, {"done", done}});
                        } else {
                          fmt::print("{} {}\n", id, done);
                        }
                      }
                      return {};
                    });
}

// Removes trashed runs' rows, then their checkpoint folders.
int collect_garbage(const GlobalOptions& options) {
  return with_store(options, [&](storage::RunStore& store, storage::RunCatalog&) -> Result<void> {
    const auto folders = store.purge_trash();
    if (!folders) {
      return folders.error();
    }
    std::uintmax_t removed = 0;
    for (const std::string& folder : *folders) {
      std::error_code failed;
      const std::uintmax_t count = std::filesystem::remove_all(folder, failed);
      if (failed) {
        report_warning(fmt::format("cannot remove {}: {}", folder, failed.message()), options);
      } else {
        removed += count;
      }
    }
    if (options.json) {
      print_json(Json{{"folders", *folders}, {"files", removed}});
    } else {
      fmt::print("trash emptied; {} checkpoint folders, {} files removed\n", folders->size(),
                 removed);
    }
    return {};
  });
}

void add_change(CLI::App& root, Cli& cli, const std::string& name, const std::string& help,
                Change change, const char* done) {
  const auto ids = std::make_shared<std::vector<std::string>>();
  CLI::App* verb = add_verb(root, cli, name, help, [&cli, ids, change, done] {
    return change_runs(cli.options, *ids, change, done);
  });
  verb->add_option("ids", *ids, "runs: ids, unique beginnings or names")->required();
}

}  // namespace

void add_rm(CLI::App& root, Cli& cli) {
  add_change(root, cli, "rm", "Move runs to the trash (lathe restore brings them back)",
             &storage::RunStore::trash, "trashed");
}

void add_restore(CLI::App& root, Cli& cli) {
  add_change(root, cli, "restore", "Take runs out of the trash", &storage::RunStore::restore,
             "restored");
}

void add_gc(CLI::App& root, Cli& cli) {
  add_verb(root, cli, "gc", "Empty the trash: rows and checkpoint folders are removed for good",
           [&cli] { return collect_garbage(cli.options); });
}

}  // namespace lathe::app
