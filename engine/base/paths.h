// Where things lie on disk: the XDG folders of this program, and the files that come with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace lathe {

// $XDG_CONFIG_HOME/lathe, by default ~/.config/lathe. None of these creates the folder.
std::filesystem::path config_dir();
// $XDG_DATA_HOME/lathe, by default ~/.local/share/lathe: the store and checkpoints.
std::filesystem::path data_dir();
// $XDG_STATE_HOME/lathe, by default ~/.local/state/lathe: window layout and logs.
std::filesystem::path state_dir();
// $XDG_CACHE_HOME/lathe, by default ~/.cache/lathe: tokenized corpora; safe to delete.
std::filesystem::path cache_dir();

// A file or folder that comes with the program, e.g. "configs/sample.json" or "fonts": looked for
// in $LATHE_ASSETS, beside the executable (../share/lathe), then in the source tree it was built
// from.
std::optional<std::filesystem::path> find_asset(std::string_view relative);

// The running executable.
std::filesystem::path executable_path();

}  // namespace lathe
