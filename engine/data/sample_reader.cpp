// Lists and reads files; of sets of sentiment leaves out what is measured on.
#include "engine/data/sample_reader.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "engine/data/corpus_files.h"
#include "engine/data/row_file.h"
#include "engine/data/sentiment_set.h"

namespace lathe {
namespace {

// Independent of each other, so that max_bytes takes from both parts.
constexpr std::uint64_t kOrderSeed = 0;
constexpr std::uint64_t kSplitSeed = 0x5917;

constexpr std::int64_t kMostRepeats = 1000;

// One of the paths of data.path, and how often its samples are there.
struct Source {
  std::string path;
  std::int64_t repeats = 1;
};

Result<Source> source_of(std::string_view part) {
  const std::size_t star = part.rfind('*');
  if (star == std::string_view::npos) {
    return Source{.path = std::string(part)};
  }
  Source source{.path = std::string(part.substr(0, star))};
  const std::string_view number = part.substr(star + 1);
  const auto [end, failed] =
      std::from_chars(number.data(), number.data() + number.size(), source.repeats);
  if (failed != std::errc() || end != number.data() + number.size() || source.repeats < 1 ||
      source.repeats > kMostRepeats) {
    return Error{ErrorKind::kUsage,
                 "data.path has \"" + std::string(part) +
                     "\", whose repeats are no number from 1 to " + std::to_string(kMostRepeats),
                 "write FILE*6 for a file whose samples count six times"};
  }
  return source;
}

// A mixture is FinGPT's way with sets of sentiment; other paths may have commas in their names.
Result<std::vector<Source>> sources_of(const DataConfig& config) {
  if (config.kind != DataKind::kSentiment) {
    return std::vector<Source>{{.path = config.path}};
  }
  std::vector<Source> sources;
  const std::string_view all = config.path;
  for (std::size_t at = 0; at <= all.size();) {
    const std::size_t comma = std::min(all.find(',', at), all.size());
    auto source = source_of(all.substr(at, comma - at));
    if (!source) {
      return source.error();
    }
    sources.push_back(std::move(*source));
    at = comma + 1;
  }
  return sources;
}

Result<FileList> list_files(const DataConfig& config, const std::string& path) {
  if (path == DataConfig{}.path) {
    return Error{ErrorKind::kUsage,
                 "data.path=" + path + " holds running text, and data.kind is " +
                     std::string(enum_name(config.kind)),
                 "name a file or folder of samples as data.path"};
  }
  DataConfig files = config;
  files.path = path;
  files.extensions = {".json", ".jsonl"};
  if (config.kind == DataKind::kSentiment) {
    files.extensions.push_back(".csv");
  }
  files.max_bytes = 0;  // counts samples, not files
  return list_corpus_files(files);
}

using Texts = std::set<std::string>;

Result<Texts> texts_without(const DataConfig& config) {
  Texts texts;
  for (const std::string& path : config.without) {
    const auto set = read_sentiment_set(path, config.labels);
    if (!set) {
      return set.error();
    }
    for (const SentimentRow& row : set->rows) {
      texts.insert(bare_text(row.text));
    }
  }
  return texts;
}

Result<std::vector<Sample>> read_file(const DataConfig& config, const std::string& path,
                                      const Texts& without, ReadSamples& out) {
  std::vector<Sample> samples;
  if (config.kind == DataKind::kSentiment) {
    auto set = read_sentiment_set(path, config.labels);
    if (!set) {
      return set.error();
    }
    for (SentimentRow& row : set->rows) {
      if (without.contains(bare_text(row.text))) {
        ++out.without;
        continue;
      }
      samples.emplace_back(PromptAnswer{
          .prompt = std::move(row.prompt), .response = set->labels[row.label], .joint = true});
    }
    return samples;
  }
  const auto rows = read_rows(path);
  if (!rows) {
    return rows.error();
  }
  for (const DataRow& row : *rows) {
    auto sample = read_sample(row, config.kind);
    if (!sample) {
      return sample.error();
    }
    samples.push_back(std::move(*sample));
  }
  return samples;
}

void place(const std::vector<Sample>& samples, std::int64_t repeats, ReadSamples& out) {
  for (const Sample& sample : samples) {
    const double share = static_cast<double>(hash_of(sample, kSplitSeed) >> 11) * 0x1.0p-53;
    for (std::int64_t copy = 0; copy < repeats; ++copy) {
      const std::uint64_t order = hash_of(sample, kOrderSeed + static_cast<std::uint64_t>(copy));
      out.samples.push_back({sample, order, share, copy});
    }
  }
}

void keep_within(std::int64_t max_bytes, std::vector<PlacedSample>& samples) {
  std::int64_t total = 0;
  std::erase_if(samples, [&](const PlacedSample& placed) {
    const bool fits = text_bytes(placed.sample) <= max_bytes - total;
    total += fits ? text_bytes(placed.sample) : 0;
    return !fits;
  });
}

}  // namespace

Result<ReadSamples> read_samples(const DataConfig& config) {
  const auto sources = sources_of(config);
  if (!sources) {
    return sources.error();
  }
  const auto without = texts_without(config);
  if (!without) {
    return without.error();
  }
  ReadSamples out;
  for (const Source& source : *sources) {
    const auto list = list_files(config, source.path);
    if (!list) {
      return list.error();
    }
    for (const CorpusFile& file : list->files) {
      const auto samples = read_file(config, file.path.string(), *without, out);
      if (!samples) {
        return samples.error();
      }
      place(*samples, source.repeats, out);
      ++out.files;
    }
  }
  std::stable_sort(out.samples.begin(), out.samples.end(),
                   [](const PlacedSample& a, const PlacedSample& b) { return a.order < b.order; });
  if (config.max_bytes > 0) {
    keep_within(config.max_bytes, out.samples);
  }
  return out;
}

}  // namespace lathe
