// Opens a corpus through the cache. Two keys lead to a token file: a quick one from names, sizes
// and times of the files, which an index maps to the digest of their contents, and that digest
// itself, which still holds when only the times have changed.
#include "engine/data/token_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/base/paths.h"
#include "engine/data/corpus_builder.h"
#include "engine/data/corpus_files.h"
#include "engine/data/corpus_pieces.h"
#include "engine/data/image_set.h"
#include "engine/data/sample_source.h"
#include "engine/data/token_file.h"

namespace lathe {
namespace fs = std::filesystem;
namespace {

// Part of both keys: raise it when splitting, training, encoding or the file's layout changes.
constexpr int kCacheVersion = 2;
constexpr std::size_t kKeyLength = 64;

class MappedTokens final : public TokenSource {
 public:
  MappedTokens(TokenFile file, std::shared_ptr<const TextTokenizer> brought)
      : file_(std::move(file)), brought_(std::move(brought)) {}

  const CorpusInfo& info() const override { return file_.info; }
  std::span<const std::int32_t> tokens(Split split) const override {
    return split == Split::kTrain ? file_.train : file_.heldout;
  }
  std::string decode(std::span<const std::int32_t> ids) const override {
    return file_.tokenizer ? file_.tokenizer->decode(ids) : brought_->decode(ids, true);
  }
  const Tokenizer* tokenizer() const override {
    return file_.tokenizer ? &*file_.tokenizer : nullptr;
  }

 private:
  TokenFile file_;
  std::shared_ptr<const TextTokenizer> brought_;  // where the file has none of its own
};

std::string quick_key(const DataConfig& config, const ModelEncoding& model, const FileList& list) {
  Json key = Json::array({kCacheVersion, to_json(config), model.digest, list.root.string()});
  for (const CorpusFile& file : list.files) {
    key.push_back(Json::array({file.path.string(), file.bytes, file.modified_ns}));
  }
  return sha256_hex(json_text(key));
}

std::string content_key(const DataConfig& config, const ModelEncoding& model,
                        const Corpus& corpus) {
  const bool is_bpe = config.tokenizer == TokenizerKind::kBpe;
  Json key = Json::array({kCacheVersion, model.digest,
                          is_bpe && model.tokenizer == nullptr ? config.vocab_size : 0,
                          corpus.skipped_files});
  for (const Piece& piece : corpus.pieces) {
    key.push_back(Json::array({corpus.list.files[piece.file].relative, piece.begin, piece.end,
                               piece.split == Split::kTrain, piece.sha256}));
  }
  return sha256_hex(json_text(key));
}

fs::path tokens_folder() {
  return cache_dir() / "tokens";
}

fs::path index_path(const std::string& key) {
  return tokens_folder() / "index" / key;
}

// What the index says for a quick key, if it is a key at all.
std::optional<std::string> read_index(const std::string& key) {
  std::ifstream in(index_path(key), std::ios::binary);
  std::string text(kKeyLength + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  const bool is_key =
      text.size() == kKeyLength && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_key ? std::optional(text) : std::nullopt;
}

// A file written within the last moments may be written again without its time changing: only what
// has been left alone for a while is trusted by its time.
bool is_settled(const FileList& list) {
  constexpr std::int64_t kSettledNs = 2'000'000'000;
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  return std::all_of(list.files.begin(), list.files.end(),
                     [&](const CorpusFile& file) { return file.modified_ns < now - kSettledNs; });
}

Error cache_error(const Error& cause) {
  return Error{.kind = cause.kind,
               .message = "the tokenized corpus could not be cached: " + cause.message,
               .remedy = cause.remedy + " (the cache lies in $XDG_CACHE_HOME/lathe)"};
}

Result<TokenFile> open_or_build(const DataConfig& config, const ModelEncoding& model, FileList list,
                                const CorpusProgress& progress) {
  const std::string quick = quick_key(config, model, list);
  if (const std::optional<std::string> known = read_index(quick)) {
    if (std::optional<TokenFile> file = open_token_file(tokens_folder() / *known, model.digest)) {
      return std::move(*file);
    }
  }
  const bool settled = is_settled(list);
  const Result<Corpus> corpus = read_corpus(config, std::move(list), progress);
  if (!corpus) {
    return corpus.error();
  }
  const std::string digest = content_key(config, model, *corpus);
  const fs::path folder = tokens_folder() / digest;
  std::optional<TokenFile> file = open_token_file(folder, model.digest);
  if (!file) {
    const Result<void> built = build_token_file(config, model, *corpus, folder, progress);
    if (!built) {
      return built.error().kind == ErrorKind::kDisk ? cache_error(built.error()) : built.error();
    }
    file = open_token_file(folder, model.digest);
  }
  if (!file) {
    return Error{.kind = ErrorKind::kDisk,
                 .message = "the tokenized corpus reads back damaged from " + folder.string(),
                 .remedy = "check the disk, or set XDG_CACHE_HOME to a folder on another one"};
  }
  if (settled) {
    if (const Result<void> written = write_file_atomically(index_path(quick), digest); !written) {
      return cache_error(written.error());
    }
  }
  return std::move(*file);
}

Result<void> check_length(const CorpusInfo& info, const DataConfig& config, std::int64_t seq_len) {
  const std::int64_t needed = 2 * seq_len + 1;
  const bool is_train = info.train_tokens < needed;
  if (!is_train && info.heldout_tokens >= needed) {
    return {};
  }
  return Error{.kind = ErrorKind::kData,
               .message = std::string("the ") + (is_train ? "training" : "held-out") +
                          " part of the corpus " + config.path + " has " +
                          std::to_string(is_train ? info.train_tokens : info.heldout_tokens) +
                          " tokens; two sequences of train.seq_len = " + std::to_string(seq_len) +
                          " need " + std::to_string(needed),
               .remedy = is_train ? "give more text, raise data.max_bytes or lower train.seq_len"
                                  : "give more text, raise data.heldout or lower train.seq_len"};
}

}  // namespace

Result<std::shared_ptr<const TokenSource>> open_corpus(const DataConfig& config,
                                                       std::int64_t seq_len,
                                                       const ModelEncoding& model,
                                                       const CorpusProgress& progress) {
  if (!config.without.empty() && config.kind != DataKind::kSentiment) {
    return Error{.kind = ErrorKind::kUsage,
                 .message = "data.without compares sets of sentiment, and data.kind is " +
                            std::string(enum_name(config.kind)),
                 .remedy = "leave data.without empty, or set data.kind=sentiment"};
  }
  if (config.kind == DataKind::kImages) {
    return open_images(config, progress);
  }
  if (config.kind != DataKind::kText) {
    return open_samples(config, seq_len, model, progress);
  }
  Result<FileList> list = list_corpus_files(config);
  if (!list) {
    return list.error();
  }
  Result<TokenFile> file = open_or_build(config, model, std::move(*list), progress);
  if (!file) {
    return file.error();
  }
  if (const Result<void> long_enough = check_length(file->info, config, seq_len); !long_enough) {
    return long_enough.error();
  }
  if (progress) {
    progress(1.0, "corpus ready");
  }
  return std::shared_ptr<const TokenSource>(
      std::make_shared<MappedTokens>(std::move(*file), model.tokenizer));
}

}  // namespace lathe
