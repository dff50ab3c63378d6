// One declaration per verb; verbs.cpp puts them in order.
#pragma once

#include "app/cli.h"

namespace lathe::app {

void add_compress(CLI::App& root, Cli& cli);
void add_completion(CLI::App& root, Cli& cli);
void add_describe(CLI::App& root, Cli& cli);
void add_diff(CLI::App& root, Cli& cli);
void add_doctor(CLI::App& root, Cli& cli);
void add_eval(CLI::App& root, Cli& cli);
void add_export(CLI::App& root, Cli& cli);
void add_gc(CLI::App& root, Cli& cli);
void add_generate(CLI::App& root, Cli& cli);
void add_inspect(CLI::App& root, Cli& cli);
void add_ls(CLI::App& root, Cli& cli);
void add_plan(CLI::App& root, Cli& cli);
void add_query(CLI::App& root, Cli& cli);
void add_replay(CLI::App& root, Cli& cli);
void add_restore(CLI::App& root, Cli& cli);
void add_resume(CLI::App& root, Cli& cli);
void add_retry(CLI::App& root, Cli& cli);
void add_rm(CLI::App& root, Cli& cli);
void add_run(CLI::App& root, Cli& cli);
void add_show(CLI::App& root, Cli& cli);
void add_sweep(CLI::App& root, Cli& cli);

}  // namespace lathe::app
