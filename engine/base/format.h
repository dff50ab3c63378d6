// Numbers as people read them. The same everywhere: window, terminal, reports.
#pragma once

#include <cstdint>
#include <string>

namespace lathe {

// Binary units, three significant digits: "0 B", "512 B", "7.10 GiB".
std::string bytes_text(std::int64_t bytes);

// Decimal units, three significant digits: "999", "15.2 k", "58.1 M", "7.00 G".
std::string count_text(double count);

// "0.8 s", "45 s", "12:40", "1:05:09".
std::string duration_text(double secs);

// Unix milliseconds as local "2026-11-23 02:14:07".
std::string time_text(std::int64_t unix_ms);

// Unix milliseconds as UTC "2026-11-23T02:14:07Z", for files.
std::string iso_time_text(std::int64_t unix_ms);

}  // namespace lathe
