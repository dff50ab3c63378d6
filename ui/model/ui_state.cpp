// Reading is forgiving, writing is atomic.
#include "ui/model/ui_state.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/base/atomic_file.h"

namespace lathe::ui {

UiState ui_state_from_text(const std::string& text) {
  UiState state;
  const Result<Json> document = parse_json(text, "ui.json");
  if (!document || !document->is_object()) {
    return state;
  }
  std::vector<std::string> ignored;
  read_json(*document, state, "", ignored);
  state.playground.resize(2);
  return state;
}

std::string ui_state_to_text(const UiState& state) {
  return json_text(to_json(state), 1);
}

UiState load_ui_state(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return ui_state_from_text(text.str());
}

Result<void> save_ui_state(const std::string& text, const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  return write_file_atomically(path, text);
}

void toggle(std::vector<std::string>& ids, const std::string& id) {
  const auto found = std::find(ids.begin(), ids.end(), id);
  if (found == ids.end()) {
    ids.push_back(id);
  } else {
    ids.erase(found);
  }
}

bool contains(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace lathe::ui
