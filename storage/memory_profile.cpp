// See memory_profile.h.
#include "storage/memory_profile.h"

#include "engine/base/json.h"
#include "storage/columns.h"

namespace lathe::storage {
namespace {

using experiments::MemoryProfile;

constexpr std::size_t kEventColumns = 5;

SqlFailure damaged_profile(const std::string& file) {
  return SqlFailure({ErrorKind::kStore, "a memory profile in the store " + file + " is damaged",
                     "record it again by replaying the run"});
}

Columns columns_of(const std::vector<LedgerEvent>& time_line) {
  Columns columns(kEventColumns);
  for (const LedgerEvent& event : time_line) {
    columns[0].push_back(static_cast<std::uint64_t>(event.bytes));
    columns[1].push_back(static_cast<std::uint64_t>(event.live_bytes));
    columns[2].push_back(event.block);
    columns[3].push_back(static_cast<std::uint64_t>(event.category));
    columns[4].push_back(static_cast<std::uint64_t>(static_cast<std::int64_t>(event.tag)));
  }
  return columns;
}

// Throws Json::exception or std::out_of_range on a document of another shape.
Category category_of(const Json& value) {
  const auto index = value.get<std::int64_t>();
  if (index < 0 || index >= kCategoryCount) {
    throw std::out_of_range("category");
  }
  return static_cast<Category>(index);
}

void read_documents(Statement& row, MemoryProfile& profile) {
  profile.peak.by_category = Json::parse(row.text(3)).get<CategoryBytes>();
  for (const Json& layer : Json::parse(row.text(4))) {
    profile.peak_by_layer.push_back({layer.at(0).get<std::string>(), category_of(layer.at(1)),
                                     layer.at(2).get<std::int64_t>()});
  }
  for (const Json& tag : Json::parse(row.text(5))) {
    profile.tags.push_back(
        {category_of(tag.at(0)), tag.at(1).get<std::string>(), tag.at(2).get<std::string>()});
  }
}

void read_time_line(const Columns& columns, MemoryProfile& profile) {
  const auto tags = static_cast<std::int64_t>(profile.tags.size());
  for (std::size_t i = 0; i < columns[0].size(); ++i) {
    LedgerEvent event;
    event.bytes = static_cast<std::int64_t>(columns[0][i]);
    event.live_bytes = static_cast<std::int64_t>(columns[1][i]);
    event.block = columns[2][i];
    const auto tag = static_cast<std::int64_t>(columns[4][i]);
    if (columns[3][i] >= kCategoryCount || tag < -1 || tag >= tags) {
      throw std::out_of_range("event");
    }
    event.category = static_cast<Category>(columns[3][i]);
    event.tag = static_cast<std::int32_t>(tag);
    profile.time_line.push_back(event);
  }
}

}  // namespace

void store_memory_profile(Connection& connection, std::int64_t run, const MemoryProfile& profile) {
  Json layers = Json::array();
  for (const LayerBytes& layer : profile.peak_by_layer) {
    layers.push_back({layer.layer, static_cast<std::int64_t>(layer.category), layer.bytes});
  }
  Json tags = Json::array();
  for (const Tag& tag : profile.tags) {
    tags.push_back({static_cast<std::int64_t>(tag.category), tag.layer, tag.name});
  }
  const Bytes time_line = encode_columns(columns_of(profile.time_line));
  connection.run(
      "INSERT INTO memory_profiles (run, step, peak_bytes, peak_phase, peak_by_category, "
      "peak_by_layer, tags, events, time_line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (run) DO UPDATE SET step = excluded.step, peak_bytes = excluded.peak_bytes, "
      "peak_phase = excluded.peak_phase, peak_by_category = excluded.peak_by_category, "
      "peak_by_layer = excluded.peak_by_layer, tags = excluded.tags, events = excluded.events, "
      "time_line = excluded.time_line",
      {run, profile.step, profile.peak.live_bytes, profile.peak_phase,
       json_text(Json(profile.peak.by_category)), json_text(layers), json_text(tags),
       static_cast<std::int64_t>(profile.time_line.size()), std::span<const std::byte>(time_line)});
}

MemoryProfile load_memory_profile(Connection& connection, std::int64_t run) {
  Statement& row = connection.prepare(
      "SELECT step, peak_bytes, peak_phase, peak_by_category, peak_by_layer, tags, events, "
      "time_line FROM memory_profiles WHERE run = ?",
      {run});
  if (!row.step()) {
    row.reset();
    throw SqlFailure({ErrorKind::kUsage, "the run has no memory profile",
                      "it is taken in one of a run's first steps"});
  }
  MemoryProfile profile;
  profile.step = row.integer(0);
  profile.peak.live_bytes = row.integer(1);
  profile.peak_phase = row.text(2);
  try {
    read_documents(row, profile);
    const Result<Columns> columns = decode_columns(row.blob(7), kEventColumns, row.integer(6));
    if (!columns.ok()) {
      throw SqlFailure(columns.error());
    }
    read_time_line(*columns, profile);
  } catch (const Json::exception&) {
    throw damaged_profile(connection.file());
  } catch (const std::out_of_range&) {
    throw damaged_profile(connection.file());
  }
  row.reset();
  return profile;
}

}  // namespace lathe::storage
