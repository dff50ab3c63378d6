// Numbers as people read them.
#include "engine/base/format.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Format, BytesInBinaryUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.00 KiB");
  EXPECT_EQ(bytes_text(1536 * 1024), "1.50 MiB");
  EXPECT_EQ(bytes_text(7623566950), "7.10 GiB");
  EXPECT_EQ(bytes_text(-2048), "-2.00 KiB");
}

TEST(Format, CountsInDecimalUnits) {
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(15230), "15.2 k");
  EXPECT_EQ(count_text(999999), "1.00 M");
  EXPECT_EQ(count_text(58.1e6), "58.1 M");
  EXPECT_EQ(count_text(0.25), "0.25");
}

TEST(Format, DurationsGrowWithTheirSize) {
  EXPECT_EQ(duration_text(0.84), "0.8 s");
  EXPECT_EQ(duration_text(45.2), "45 s");
  EXPECT_EQ(duration_text(760), "12:40");
  EXPECT_EQ(duration_text(3909), "1:05:09");
  EXPECT_EQ(duration_text(59.7), "1:00");
}

TEST(Format, TimesInFilesAreUtc) {
  EXPECT_EQ(iso_time_text(0), "1970-01-01T00:00:00Z");
}

}  // namespace
}  // namespace lathe
