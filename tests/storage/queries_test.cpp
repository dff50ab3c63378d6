// Read-only SQL, lists that never touch points, ids by prefix, typed parameter columns, and what is
// done to stored runs.
#include "experiments/run_spec.h"
#include "storage/open_database.h"
#include "storage/param_table.h"
#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

class QueriesTest : public StoreTest {
 protected:
  QueriesTest() : store_(store()) {
    add_run("aaaaaaaaaa", "first");
    add_run("aaaabbbbbb", "second");
    for (std::int64_t step = 1; step <= 3'000; ++step) {
      store_->on_event(point("aaaaaaaaaa", "train/loss", step, 1.0 / static_cast<double>(step)));
    }
    expect_ok(store_->flush());
  }
  void add_run(const std::string& id, const std::string& name) {
    store_->on_event(created(id, name));
    store_->on_event(started(id));
    store_->on_event(CheckpointSaved{id, 1, "/c/" + id, 1});
    store_->on_event(RunFinished{id, RunState::kDone, 1});
  }
  ErrorKind kind_of_query(const std::string& sql) {
    const auto answer = catalog()->query(sql);
    return answer.ok() ? ErrorKind::kFailed : answer.error().kind;
  }
  std::unique_ptr<RunStore> store_;
};

TEST_F(QueriesTest, SelectGivesColumnsAndTypedValues) {
  const auto table = value_of(
      catalog()->query("SELECT id, step, 0.5 AS half, NULL AS none FROM runs ORDER BY id"));
  EXPECT_EQ(table.columns, (std::vector<std::string>{"id", "step", "half", "none"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0], (std::vector<Json>{"aaaaaaaaaa", 3'000, 0.5, nullptr}));
  EXPECT_FALSE(table.cut);
}

TEST_F(QueriesTest, EveryPointCanBeQueried) {
  const auto table =
      value_of(catalog()->query("SELECT count(*), sum(step), min(value), max(time_ms) FROM samples "
                                "WHERE run = 'aaaaaaaaaa' AND metric = 'train/loss'"));
  EXPECT_EQ(table.rows.at(0), (std::vector<Json>{3'000, 4'501'500, 1.0 / 3'000, 4'000}));
  const auto best = value_of(catalog()->query("SELECT run, best FROM run_metrics"));
  EXPECT_EQ(best.rows.at(0), (std::vector<Json>{"aaaaaaaaaa", 1.0 / 3'000}));
}

TEST_F(QueriesTest, NothingThatWritesIsLegal) {
  const std::string copy = (folder_ / "copy.db").string();
  for (const std::string& sql : std::vector<std::string>{"DELETE FROM runs",
                                                         "INSERT INTO tags VALUES (1, 'x')",
                                                         "UPDATE runs SET note = 'x'",
                                                         "DROP TABLE runs",
                                                         "CREATE TABLE t (x)",
                                                         "CREATE TEMP TABLE t (x)",
                                                         "VACUUM",
                                                         "VACUUM INTO '" + copy + "'",
                                                         "ATTACH '" + copy + "' AS other",
                                                         "PRAGMA journal_mode = DELETE",
                                                         "PRAGMA writable_schema = ON",
                                                         "BEGIN IMMEDIATE",
                                                         "SELECT 1; DELETE FROM runs",
                                                         "EXPLAIN DELETE FROM runs",
                                                         "",
                                                         "   ",
                                                         "-- nothing",
                                                         "no SQL at all",
                                                         "SELECT load_extension('x')",
                                                         "SELECT * FROM nowhere"}) {
    EXPECT_EQ(kind_of_query(sql), ErrorKind::kUsage) << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(copy));
  EXPECT_EQ(value_of(catalog()->runs()).size(), 2u);
}

TEST_F(QueriesTest, AQueryThatAsksForTooMuchEnds) {
  auto reading = catalog();
  const std::string endless =
      "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
  const auto cut = value_of(reading->query(endless, {.max_rows = 10}));
  EXPECT_EQ(cut.rows.size(), 10u);
  EXPECT_TRUE(cut.cut);
  const auto slow = reading->query("SELECT count(*) FROM (" + endless + ")",
                                   {.timeout = std::chrono::milliseconds(20)});
  ASSERT_FALSE(slow.ok());
  EXPECT_EQ(slow.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(value_of(reading->query("SELECT 1")).rows.size(), 1u) << "usable afterwards";
}

TEST_F(QueriesTest, ARunIsFoundByIdPrefixOrName) {
  auto reading = catalog();
  EXPECT_EQ(value_of(reading->run("aaaaaaaaaa")).summary.name, "first");
  EXPECT_EQ(value_of(reading->run("aaaab")).summary.name, "second");
  EXPECT_EQ(value_of(reading->run("first")).summary.id, "aaaaaaaaaa");
  const auto several = reading->run("aaaa");
  ASSERT_FALSE(several.ok());
  EXPECT_EQ(several.error().kind, ErrorKind::kUsage);
  EXPECT_NE(several.error().message.find("aaaabbbbbb"), std::string::npos);
  for (const char* nothing : {"", "b", "%", "' OR 1 --"}) {
    EXPECT_EQ(reading->run(nothing).error().kind, ErrorKind::kUsage) << nothing;
  }
}

TEST_F(QueriesTest, TagsNotesAndNames) {
  expect_ok(store_->set_tags("aaaaaaaaaa", {"good", "best", "good"}));
  expect_ok(store_->set_note("aaaaaaaaaa", "why"));
  expect_ok(store_->rename("aaaaaaaaaa", "winner"));
  const RunSummary run = value_of(catalog()->run("winner")).summary;
  EXPECT_EQ(run.tags, (std::vector<std::string>{"best", "good"}));
  EXPECT_EQ(run.note, "why");
  expect_ok(store_->set_tags("aaaaaaaaaa", {}));
  EXPECT_TRUE(value_of(catalog()->run("winner")).summary.tags.empty());
  EXPECT_EQ(store_->set_note("nosuchrun1", "x").error().kind, ErrorKind::kUsage);
}

TEST_F(QueriesTest, TrashCanBeTakenBackUntilItIsPurged) {
  auto reading = catalog();
  expect_ok(store_->trash("aaaaaaaaaa"));
  EXPECT_EQ(value_of(reading->runs()).size(), 1u);
  EXPECT_EQ(value_of(reading->runs(true)).size(), 2u);
  expect_ok(store_->restore("aaaaaaaaaa"));
  EXPECT_EQ(value_of(reading->runs()).size(), 2u);
  EXPECT_EQ(value_of(reading->points("aaaaaaaaaa", "train/loss")).size(), 3'000u);
  EXPECT_TRUE(value_of(store_->purge_trash()).empty());
  expect_ok(store_->trash("aaaaaaaaaa"));
  EXPECT_EQ(value_of(store_->purge_trash()), std::vector<std::string>{"/c/aaaaaaaaaa"});
  EXPECT_EQ(value_of(reading->runs(true)).size(), 1u);
  EXPECT_EQ(value_of(reading->query("SELECT count(*) FROM chunks")).rows.at(0).at(0), 0);
  EXPECT_EQ(value_of(reading->query("SELECT count(*) FROM specs")).rows.at(0).at(0), 1);
  expect_ok(check_store(file_));
}

TEST_F(QueriesTest, ARunThatGoesOnCannotBeTrashed) {
  store_->on_event(created("cccccccccc"));
  store_->on_event(started("cccccccccc"));
  const Result<void> refused = store_->trash("cccccccccc");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST_F(QueriesTest, AListIsKeptUpToDateFromChangesAlone) {
  auto reading = catalog();
  const RunsChange all = value_of(reading->runs_changed_since(0));
  EXPECT_EQ(all.changed.size(), 2u);
  EXPECT_TRUE(value_of(reading->runs_changed_since(all.revision)).changed.empty());
  const std::int64_t version = reading->version();
  expect_ok(store_->set_note("aaaabbbbbb", "x"));
  EXPECT_NE(reading->version(), version);
  const RunsChange one = value_of(reading->runs_changed_since(all.revision));
  ASSERT_EQ(one.changed.size(), 1u);
  EXPECT_EQ(one.changed[0].note, "x");
  expect_ok(store_->trash("aaaaaaaaaa"));
  EXPECT_TRUE(value_of(store_->purge_trash()).size() == 1);
  const RunsChange gone = value_of(reading->runs_changed_since(one.revision));
  EXPECT_TRUE(gone.changed.empty());
  EXPECT_EQ(gone.purged, std::vector<RunId>{"aaaaaaaaaa"});
}

TEST_F(QueriesTest, TenThousandRunsAreListedWithoutTheirPoints) {
  {
    auto connection = open_for_writing(file_, std::chrono::seconds(5));
    connection->script(
        "PRAGMA foreign_keys = OFF;"
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000) "
        "INSERT INTO runs (id, name, point, kind, parent, spec, state, created_ms, "
        "predicted_peak_bytes) SELECT 'many' || x, 'n', -1, 'train', '', (SELECT hash FROM specs), "
        "'done', x, 0 FROM n;"
        "INSERT INTO summaries SELECT runs.key, series.key, 1, 1, 0.5, 0.5 FROM runs, series "
        "WHERE runs.id LIKE 'many%';"
        "DROP TABLE chunks; DROP TABLE attempts; DROP TABLE specs");
  }
  const auto runs = value_of(catalog()->runs());
  ASSERT_EQ(runs.size(), 10'002u);
  EXPECT_EQ(runs[0].id, "many10000") << "newest first";
  EXPECT_EQ(runs[0].last.at("train/loss"), 0.5);
}

TEST_F(QueriesTest, ReplicatesShareAGroup) {
  RunSpec spec;
  spec.name = "s0";
  RunCreated first = created("dddddddddd");
  first.spec = to_json(spec);
  spec.name = "s1";
  spec.train.seed = 1;
  RunCreated second = created("eeeeeeeeee");
  second.spec = to_json(spec);
  store_->on_event(first);
  store_->on_event(second);
  expect_ok(store_->flush());
  const std::string group = value_of(catalog()->run("dddddddddd")).summary.group;
  EXPECT_FALSE(group.empty());
  EXPECT_EQ(value_of(catalog()->run("eeeeeeeeee")).summary.group, group);
  EXPECT_EQ(value_of(catalog()->run("aaaaaaaaaa")).summary.group, "");
}

TEST_F(QueriesTest, ParametersAreTypedColumns) {
  RunSpec spec;
  spec.train.seed = 12;
  spec.train.model.dim = 96;
  RunCreated event = created("dddddddddd");
  event.spec = to_json(spec);
  store_->on_event(event);
  expect_ok(store_->flush());
  const auto row = value_of(catalog()->query(
      "SELECT seed, device, dim, typeof(dim) FROM runs JOIN params_run ON params_run.run = key "
      "JOIN params_model ON params_model.run = key WHERE id = 'dddddddddd'"));
  EXPECT_EQ(row.rows.at(0), (std::vector<Json>{12, "auto", 96, "integer"}));
}

ParamInfo param(const std::string& path, ParamType type) {
  ParamInfo info;
  info.path = path;
  info.type = type;
  return info;
}

TEST_F(QueriesTest, MissingParameterColumnsAreAddedAndNoneIsDropped) {
  auto connection = open_for_writing(file_, std::chrono::seconds(5));
  const std::vector<ParamInfo> old{param("method.toy.rank", ParamType::kInt),
                                   param("method.toy.gone", ParamType::kText)};
  const std::vector<ParamInfo> changed{param("method.toy.rank", ParamType::kReal),
                                       param("method.toy.fresh", ParamType::kBool)};
  const Json spec{{"method", {{"toy", {{"rank", 0.5}, {"fresh", true}}}}}};
  update_param_tables(*connection, old);
  const auto tables = update_param_tables(*connection, changed);
  store_params(*connection, tables, 1, spec);
  store_params(*connection, tables, 2, Json::object());
  EXPECT_EQ(connection->integer("SELECT count(*) FROM params_toy"), 1);
  EXPECT_EQ(connection->text("SELECT rank_real FROM params_toy"), "0.5");
  EXPECT_EQ(connection->integer("SELECT fresh FROM params_toy"), 1);
  EXPECT_EQ(
      connection->integer("SELECT count(*) FROM params_toy WHERE rank IS NULL AND gone IS NULL"),
      1);
  update_param_tables(*connection, changed);
  EXPECT_EQ(connection->integer("SELECT count(*) FROM pragma_table_info('params_toy')"), 5);
}

}  // namespace
}  // namespace lathe::storage
