// The described struct: JSON round trip, all errors at once, former names, the flat list.
#include <gtest/gtest.h>

#include "engine/base/json.h"

namespace lathe {
namespace {

enum class Shade { kDark, kLight };

struct Inner {
  double weight = 0.5;
  static constexpr auto fields() {
    return std::tuple{field("weight", &Inner::weight, {.lo = 0, .hi = 1, .was = "mass"})};
  }
};

struct Outer {
  std::int64_t count = 3;
  bool enabled = true;
  Shade shade = Shade::kLight;
  Inner inner;
  static constexpr auto fields() {
    return std::tuple{field("count", &Outer::count, {.lo = 1, .hi = 9, .sweep = true}),
                      field("enabled", &Outer::enabled), field("shade", &Outer::shade),
                      field("inner", &Outer::inner)};
  }
};

struct Forgetful {
  std::int64_t named = 0;
  std::int64_t forgotten = 0;
  static constexpr auto fields() { return std::tuple{field("named", &Forgetful::named)}; }
};

}  // namespace

template <>
struct EnumNames<Shade> {
  static constexpr std::array<std::string_view, 2> names{"dark", "light"};
};

namespace {

static_assert(complete<Outer>());
static_assert(!complete<Forgetful>());

TEST(Describe, JsonRoundTripKeepsEveryField) {
  Outer changed;
  changed.count = 7;
  changed.enabled = false;
  changed.shade = Shade::kDark;
  changed.inner.weight = 0.25;
  Outer read;
  std::vector<std::string> errors;
  read_json(to_json(changed), read, "", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(to_json(read).dump(), to_json(changed).dump());
}

TEST(Describe, AllErrorsAreReportedAtOnce) {
  const auto document = parse_json(R"({"count": 99, "enabeld": true, "shade": "grey",
                                      "inner": {"weight": "x"}})",
                                   "test");
  ASSERT_TRUE(document.ok());
  Outer read;
  std::vector<std::string> errors;
  read_json(*document, read, "", errors);
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_NE(errors[0].find("count=99"), std::string::npos);
  EXPECT_NE(errors[0].find("from 1 to 9"), std::string::npos);
  EXPECT_NE(errors[1].find("dark, light"), std::string::npos);
  EXPECT_NE(errors[2].find("inner.weight"), std::string::npos);
  EXPECT_NE(errors[3].find("nearest is enabled"), std::string::npos);
}

TEST(Describe, AFormerNameIsStillRead) {
  Outer read;
  std::vector<std::string> errors;
  read_json(Json{{"inner", {{"mass", 0.125}}}}, read, "", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(read.inner.weight, 0.125);
}

TEST(Describe, TheFlatListHasPathsAndDefaults) {
  std::vector<ParamInfo> infos;
  append_params<Outer>("top", infos);
  ASSERT_EQ(infos.size(), 4u);
  EXPECT_EQ(infos[0].path, "top.count");
  EXPECT_TRUE(infos[0].sweep);
  EXPECT_EQ(infos[2].choices.size(), 2u);
  EXPECT_EQ(infos[3].path, "top.inner.weight");
  EXPECT_EQ(infos[3].default_text, "0.5");
  EXPECT_EQ(infos[3].was, "top.inner.mass");
}

}  // namespace
}  // namespace lathe
