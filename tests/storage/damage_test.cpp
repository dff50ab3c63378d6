// Files that cannot be used: damaged, of another program, newer, locked, on a full disk. Each gives
// one clear error of the right kind, and nothing that was recorded is lost.
#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "storage/open_database.h"
#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

class DamageTest : public StoreTest {
 protected:
  // A closed store with a run of some length.
  void make_store() {
    auto writing = store();
    writing->on_event(created("run1"));
    writing->on_event(started("run1"));
    for (std::int64_t step = 0; step < 5'000; ++step) {
      writing->on_event(point("run1", "train/loss", step, 1.0 / static_cast<double>(step + 1)));
    }
    writing->on_event(RunFinished{"run1", RunState::kDone, 5'000});
    expect_ok(writing->flush());
  }
  void write_file(const std::string& content) { std::ofstream(file_, std::ios::binary) << content; }
  std::string read_file() {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Both ways of opening fail with this kind, naming the file.
  void expect_refused(ErrorKind kind) {
    const auto store = open_store(file_);
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().kind, kind) << store.error().text();
    EXPECT_NE(store.error().message.find(file_), std::string::npos) << store.error().text();
    EXPECT_FALSE(store.error().remedy.empty());
    const auto catalog = open_catalog(file_);
    ASSERT_FALSE(catalog.ok());
    EXPECT_EQ(catalog.error().kind, kind) << catalog.error().text();
  }
};

TEST_F(DamageTest, AFileOfNoDatabase) {
  write_file(std::string(10'000, 'x'));
  expect_refused(ErrorKind::kStore);
  EXPECT_EQ(read_file(), std::string(10'000, 'x'));
}

TEST_F(DamageTest, ATruncatedFile) {
  make_store();
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) / 2);
  expect_refused(ErrorKind::kStore);
}

TEST_F(DamageTest, OverwrittenPagesAreFoundAndNeverCrash) {
  make_store();
  const std::string good = read_file();
  std::uint32_t state = 1;
  int found = 0;
  for (int trial = 0; trial < 60; ++trial) {
    std::string bad = good;
    for (int i = 0; i < 400; ++i) {
      state = state * 1'664'525 + 1'013'904'223;
      bad[100 + state % (bad.size() - 100)] = static_cast<char>(state >> 24);
    }
    write_file(bad);
    const Result<void> checked = check_store(file_);
    found += checked.ok() ? 0 : 1;
    const auto opened = open_catalog(file_);
    if (opened.ok()) {
      (void)(*opened)->runs();
      (void)(*opened)->run("run1");
      (void)(*opened)->curve("run1", "train/loss", 0, 5'000, 100);
      (void)(*opened)->points("run1", "train/loss");
      (void)(*opened)->query("SELECT * FROM samples");
    }
  }
  EXPECT_GT(found, 55);
}

TEST_F(DamageTest, ADatabaseOfAnotherProgramIsNotTouched) {
  Connection(file_, OpenMode::kReadWrite, std::chrono::seconds(1)).script("CREATE TABLE notes (x)");
  const std::string before = read_file();
  expect_refused(ErrorKind::kStore);
  EXPECT_EQ(read_file(), before);
}

TEST_F(DamageTest, NoFileAndAnEmptyOne) {
  EXPECT_EQ(open_catalog(file_).error().kind, ErrorKind::kUsage);
  write_file("");
  EXPECT_EQ(open_catalog(file_).error().kind, ErrorKind::kStore);
  EXPECT_TRUE(open_store(file_).ok());
  EXPECT_TRUE(open_catalog(file_).ok());
}

TEST_F(DamageTest, ANewerVersionIsRefusedWithBothVersionsNamed) {
  make_store();
  {
    Connection connection(file_, OpenMode::kReadWrite, std::chrono::seconds(1));
    connection.script(
        "PRAGMA user_version = 99; INSERT INTO migrations VALUES (99, '9.9.9', 0);"
        "UPDATE meta SET value = '98' WHERE key = 'readable_from'");
  }
  expect_refused(ErrorKind::kStore);
  const Error error = open_store(file_).error();
  EXPECT_NE(error.message.find("99"), std::string::npos);
  EXPECT_NE(error.message.find("9.9.9"), std::string::npos);
  Connection(file_, OpenMode::kReadWrite, std::chrono::seconds(1))
      .script("UPDATE meta SET value = '1' WHERE key = 'readable_from'");
  EXPECT_FALSE(open_store(file_).ok());
  EXPECT_EQ(value_of(catalog()->runs()).size(), 1u) << "said to be readable by older programs";
}

TEST_F(DamageTest, ALockedStoreIsToldAndTheEventsAreKept) {
  std::vector<Error> told;
  auto writing =
      value_of(open_store(file_, {.on_failure = [&](const Error& error) { told.push_back(error); },
                                  .busy_timeout = std::chrono::milliseconds(50)}));
  writing->on_event(created("run1"));
  expect_ok(writing->flush());
  {
    Connection other(file_, OpenMode::kReadWrite, std::chrono::seconds(1));
    const Transaction holding(other);
    writing->on_event(point("run1", "train/loss", 1, 1.0));
    const Result<void> failed = writing->flush();
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, ErrorKind::kStore);
    ASSERT_TRUE(writing->failure().has_value());
    EXPECT_EQ(writing->set_note("run1", "x").error().kind, ErrorKind::kStore);
  }
  expect_ok(writing->flush());
  EXPECT_FALSE(writing->failure().has_value());
  EXPECT_EQ(told.size(), 1u);
  EXPECT_EQ(value_of(catalog()->points("run1", "train/loss")).size(), 1u);
}

// Files of this process cannot grow beyond `bytes` while this lives: a full disk without one.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    previous_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit tight{bytes, limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    signal(SIGXFSZ, previous_);
  }

 private:
  rlimit limit_{};
  void (*previous_)(int) = nullptr;
};

TEST_F(DamageTest, AFullDiskIsToldTheEventsAreKeptAndWrittenWhenThereIsRoom) {
  std::vector<Error> told;
  auto writing = value_of(
      open_store(file_, {.on_failure = [&](const Error& error) { told.push_back(error); }}));
  writing->on_event(created("run1"));
  writing->on_event(started("run1"));
  writing->on_event(point("run1", "train/loss", 1, 1.0));
  expect_ok(writing->flush());
  {
    const FullDisk full(std::filesystem::file_size(file_ + "-wal"));
    for (std::int64_t step = 2; step <= 2'000; ++step) {
      writing->on_event(point("run1", "train/loss", step, 1.0));
    }
    const Result<void> failed = writing->flush();
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, ErrorKind::kDisk) << failed.error().text();
    EXPECT_NE(failed.error().message.find(file_), std::string::npos);
    EXPECT_EQ(writing->failure()->kind, ErrorKind::kDisk);
    EXPECT_EQ(value_of(catalog()->points("run1", "train/loss")).size(), 1u);
    expect_ok(check_store(file_));
  }
  expect_ok(writing->flush());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind, ErrorKind::kDisk);
  EXPECT_EQ(value_of(catalog()->points("run1", "train/loss")).size(), 2'000u);
}

TEST_F(DamageTest, ATrainerIsNotHeldUpByAStoreThatCannotWrite) {
  auto writing = store();
  writing->on_event(created("run1"));
  expect_ok(writing->flush());
  const FullDisk full(std::filesystem::file_size(file_ + "-wal"));
  for (std::int64_t step = 1; step <= 10'000; ++step) {
    writing->on_event(point("run1", "train/loss", step, 1.0));
  }
  const Result<void> failed = writing->flush();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::kDisk);
  EXPECT_NE(failed.error().message.find("lost"), std::string::npos) << failed.error().message;
}

TEST_F(DamageTest, AFullDiskWhenTheStoreIsMade) {
  const FullDisk full(0);
  EXPECT_EQ(open_store(file_).error().kind, ErrorKind::kDisk);
}

TEST_F(DamageTest, APlaceWhereNoFileCanBe) {
  write_file("a file, not a folder");
  const auto refused = open_store(file_ + "/store.db");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kDisk) << refused.error().text();
  EXPECT_EQ(open_store("/proc/lathe.db").error().kind, ErrorKind::kDisk);
  EXPECT_EQ(open_store(folder_.string()).error().kind, ErrorKind::kDisk);
}

}  // namespace
}  // namespace lathe::storage
