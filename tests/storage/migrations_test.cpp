// From older versions to the newest: nothing is lost, a copy of the old file stays.
#include "storage/open_database.h"
#include "storage/schema.h"
#include "tests/storage/store_fixture.h"
#include "tests/storage/store_v1.h"

namespace lathe::storage {
namespace {

using std::chrono::seconds;

class MigrationsTest : public StoreTest {
 protected:
  void make_version_1() { Connection(file_, OpenMode::kReadWrite, seconds(1)).script(kStoreV1); }
  std::int64_t version_of(const std::string& file) {
    return Connection(file, OpenMode::kReadOnly, seconds(1)).integer("PRAGMA user_version");
  }
  // Every table, column and index as SQLite describes them.
  std::string shape_of(const std::string& file) {
    return Connection(file, OpenMode::kReadOnly, seconds(1))
        .text(
            "SELECT group_concat(line, char(10)) FROM (SELECT m.type || ' ' || m.name || ' ' || "
            "coalesce(c.name || ' ' || c.type || c.pk || c.\"notnull\" || "
            "coalesce(c.dflt_value, '-'), '') AS line FROM sqlite_schema m "
            "LEFT JOIN pragma_table_info(m.name) c ORDER BY 1)");
  }
};

TEST_F(MigrationsTest, VersionsAreOneTwoThree) {
  std::int64_t expected = 0;
  for (const Migration& step : migrations()) {
    EXPECT_EQ(step.version, ++expected);
  }
}

TEST_F(MigrationsTest, AnOldFileIsBroughtUpAndACopyIsKept) {
  make_version_1();
  store().reset();
  EXPECT_EQ(version_of(file_), schema_version());
  EXPECT_EQ(version_of(file_ + ".v1.bak"), 1);
  const RunDetail run = value_of(catalog()->run("old"));
  EXPECT_EQ(run.summary.note, "kept");
  EXPECT_EQ(run.summary.best.at("train/loss"), 0.25);
  EXPECT_EQ(run.spec, (Json{{"name", "old"}}));
  expect_ok(check_store(file_));
  expect_ok(check_store(file_ + ".v1.bak"));
}

TEST_F(MigrationsTest, AMigratedFileHasTheShapeOfANewOne) {
  make_version_1();
  store().reset();
  const std::string migrated = shape_of(file_);
  const std::string fresh = (folder_ / "fresh.db").string();
  ASSERT_TRUE(open_store(fresh).ok());
  EXPECT_EQ(migrated, shape_of(fresh));
}

TEST_F(MigrationsTest, AReaderBringsAnOldFileUpToo) {
  make_version_1();
  EXPECT_EQ(value_of(catalog()->runs()).size(), 1u);
  EXPECT_EQ(version_of(file_ + ".v1.bak"), 1);
}

TEST_F(MigrationsTest, ACopyNeverOverwritesAnother) {
  make_version_1();
  std::filesystem::copy_file(file_, folder_ / "again.db");
  store().reset();
  std::filesystem::copy_file(folder_ / "again.db", file_,
                             std::filesystem::copy_options::overwrite_existing);
  store().reset();
  EXPECT_TRUE(std::filesystem::exists(file_ + ".v1.bak"));
  EXPECT_TRUE(std::filesystem::exists(file_ + ".v1.2.bak"));
}

TEST_F(MigrationsTest, AStepThatFailsLeavesTheFileAsItWas) {
  make_version_1();
  {
    Connection connection(file_, OpenMode::kReadWrite, seconds(1));
    const Migration broken[] = {{1, ""}, {2, "DROP TABLE tags; SELECT * FROM nowhere;"}};
    EXPECT_THROW(migrate(connection, broken), SqlFailure);
  }
  EXPECT_EQ(version_of(file_), 1);
  Connection connection(file_, OpenMode::kReadOnly, seconds(1));
  EXPECT_EQ(connection.integer("SELECT count(*) FROM tags"), 0) << "the table is still there";
}

}  // namespace
}  // namespace lathe::storage
