// Global options, dispatch, errors.
#include "app/cli.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "app/verbs.h"
#include "engine/base/params.h"
#include "engine/base/paths.h"

namespace lathe::app {
namespace {

void add_global_options(CLI::App& root, GlobalOptions& options) {
  root.add_option("--store", options.store,
                  "SQLite file of runs (default: store.sqlite in the data folder)")
      ->envname("LATHE_STORE")
      ->type_name("FILE");
  root.add_option("--device", options.device, "auto, cpu, cpu_ref or cuda:N")
      ->envname("LATHE_DEVICE")
      ->capture_default_str();
  root.add_option("--threads", options.threads, "threads of the engine; 0 means all")
      ->envname("LATHE_THREADS")
      ->check(CLI::Range(0, 4096));
  root.add_flag("--json", options.json, "print JSON on standard output")->envname("LATHE_JSON");
  root.add_flag("-q,--quiet", options.quiet, "no progress, only results and errors");
  root.add_flag("-v,--verbose", options.verbosity, "say more; repeat for still more");
}

// A first word that is no verb, with the nearest that is; empty if the first word is fine.
std::string unknown_verb(const CLI::App& root, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    return "";
  }
  const std::string word = argv[1];
  std::string nearest;
  for (const CLI::App* verb : root.get_subcommands({})) {
    if (verb->get_name() == word) {
      return "";
    }
    if (nearest.empty() || edit_distance(verb->get_name(), word) < edit_distance(nearest, word)) {
      nearest = verb->get_name();
    }
  }
  return fmt::format("there is no verb '{}'; the nearest is '{}'", word, nearest);
}

int report_parse_error(const CLI::App& root, const CLI::ParseError& error,
                       const GlobalOptions& options, const std::string& bad_verb) {
  if (error.get_exit_code() == 0) {  // --help, --version
    return root.exit(error);
  }
  const std::string message = bad_verb.empty() ? std::string(error.what()) : bad_verb;
  return report_error({ErrorKind::kUsage, message,
                       "lathe --help lists the verbs, lathe VERB --help "
                       "their options"},
                      options);
}

}  // namespace

CLI::App* add_verb(CLI::App& root, Cli& cli, const std::string& name, const std::string& help,
                   std::function<int()> run) {
  CLI::App* verb = root.add_subcommand(name, help);
  verb->fallthrough();
  verb->callback([&cli, run = std::move(run)] { cli.action = run; });
  return verb;
}

void print_json(const Json& document, int indent) {
  fmt::print("{}\n", json_text(document, indent));
}

int report_error(const Error& error, const GlobalOptions& options) {
  if (options.json) {
    const Json object{{"error",
                       {{"exit_code", exit_code(error.kind)},
                        {"message", error.message},
                        {"remedy", error.remedy}}}};
    print_json(object);
  }
  fmt::print(stderr, "lathe: {}\n", error.message);
  if (!error.remedy.empty()) {
    fmt::print(stderr, "       {}\n", error.remedy);
  }
  return exit_code(error.kind);
}

void report_warning(const std::string& text, const GlobalOptions& options) {
  if (!options.quiet) {
    fmt::print(stderr, "lathe: warning: {}\n", text);
  }
}

std::string store_path(const GlobalOptions& options) {
  return options.store.empty() ? (data_dir() / "store.sqlite").string() : options.store;
}

int with_catalog(const GlobalOptions& options,
                 const std::function<Result<void>(storage::RunCatalog&)>& use) {
  auto catalog = storage::open_catalog(store_path(options));
  if (!catalog) {
    return report_error(catalog.error(), options);
  }
  const Result<void> used = use(**catalog);
  return used ? 0 : report_error(used.error(), options);
}

int with_store(const GlobalOptions& options,
               const std::function<Result<void>(storage::RunStore&, storage::RunCatalog&)>& use) {
  auto store = storage::open_store(store_path(options));
  if (!store) {
    return report_error(store.error(), options);
  }
  return with_catalog(options, [&](storage::RunCatalog& catalog) -> Result<void> {
    const Result<void> used = use(**store, catalog);
    const Result<void> flushed = (*store)->flush();
    return used ? flushed : used;
  });
}

int run_command_line(int argc, char** argv) {
  Cli cli;
  CLI::App root{
      "Lathe: make transformers smaller and cheaper to train, and see what it costs.\n"
      "Without a verb it opens the window; Enter there starts the sample sweep."};
  root.name("lathe");
  root.set_version_flag("--version", version_text());
  root.fallthrough();
  add_global_options(root, cli.options);
  for (const AddVerb add : verbs()) {
    add(root, cli);
  }
  root.require_subcommand(0, 1);
  const std::string bad_verb = unknown_verb(root, argc, argv);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(root, error, cli.options, bad_verb);
  }
  return cli.action ? cli.action() : open_window(cli.options);
}

}  // namespace lathe::app
