// The command line's frame: options every verb shares, how results and errors are printed, exit
// codes. A verb is one file with `void add_<verb>(CLI::App&, Cli&)` and one line in verbs.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "storage/run_catalog.h"
#include "storage/run_store.h"

namespace lathe::app {

// Options of every verb; each has an environment twin LATHE_<NAME>.
struct GlobalOptions {
  std::string store;            // file; default $XDG_DATA_HOME/lathe/store.sqlite
  std::string device = "auto";  // auto | cpu | cpu_ref | cuda:N
  int threads = 0;              // 0: all, or OMP_NUM_THREADS
  bool json = false;
  bool quiet = false;
  int verbosity = 0;
};

// What parsing leaves behind: the options and the one action that the chosen verb asks for.
struct Cli {
  GlobalOptions options;
  std::function<int()> action;
};

// Parses and runs; the process's exit code.
int run_command_line(int argc, char** argv);

// Adds a verb whose action is `run` (which gives the exit code).
CLI::App* add_verb(CLI::App& root, Cli& cli, const std::string& name, const std::string& help,
                   std::function<int()> run);

// Prints a document on stdout, on one line or indented; see json_text().
void print_json(const Json& document, int indent = -1);
// Prints an error: on stderr "lathe: what happened" and the remedy, with --json one object on
// stdout. Gives the error's exit code.
int report_error(const Error& error, const GlobalOptions& options);
void report_warning(const std::string& text, const GlobalOptions& options);

// The store file in use.
std::string store_path(const GlobalOptions& options);

// For verbs that read: opens the catalogue and calls `use`; an error is reported.
int with_catalog(const GlobalOptions& options,
                 const std::function<Result<void>(storage::RunCatalog&)>& use);
// For verbs that write.
int with_store(const GlobalOptions& options,
               const std::function<Result<void>(storage::RunStore&, storage::RunCatalog&)>& use);

}  // namespace lathe::app
