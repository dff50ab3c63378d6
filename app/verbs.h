// The list of verbs (verbs.cpp) and what the frame needs beside it.
#pragma once

#include <span>
#include <string>

#include "app/cli.h"

namespace lathe::app {

using AddVerb = void (*)(CLI::App&, Cli&);

// Every verb, in the order of --help.
std::span<const AddVerb> verbs();

// "lathe 0.1.0 (commit, compiler, build type)".
std::string version_text();

// `lathe` without a verb. Where no window can be opened: an error that names the terminal's way.
int open_window(const GlobalOptions& options);

}  // namespace lathe::app
