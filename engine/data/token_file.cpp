// Layout of tokens.bin: a header page (struct Header), then the ids of the training part and of the
// held-out part. The checksum of the ids is chained over blocks, so that it can be taken while they
// are written.
#include "engine/data/token_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/json.h"

namespace lathe {
namespace {

constexpr std::array<char, 8> kMagic = {'L', 'A', 'T', 'H', 'E', 'T', 'O', 'K'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 4096;  // ids start at a page
constexpr std::size_t kBlockTokens = 1U << 18;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t header_bytes = kHeaderBytes;
  std::int64_t vocab_size = 0;
  std::int64_t train_tokens = 0;
  std::int64_t heldout_tokens = 0;
  std::int64_t files = 0;
  std::int64_t skipped_files = 0;
  std::int64_t text_bytes = 0;
  std::uint64_t payload_checksum = 0;
  std::uint64_t tokenizer_checksum = 0;
  std::array<char, 64> digest{};
  std::uint64_t header_checksum = 0;  // of all above
};

std::uint64_t checksum_of(const Header& header) {
  return xxh3(&header, offsetof(Header, header_checksum));
}

std::filesystem::path tokens_path(const std::filesystem::path& folder) {
  return folder / "tokens.bin";
}

std::filesystem::path tokenizer_path(const std::filesystem::path& folder) {
  return folder / "tokenizer.json";
}

// The header, if it is whole and its counts fit the file.
std::optional<Header> read_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) {
    return std::nullopt;
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.version != kVersion || header.header_bytes != kHeaderBytes ||
      header.header_checksum != checksum_of(header)) {
    return std::nullopt;
  }
  const auto tokens =
      static_cast<std::int64_t>((bytes.size() - kHeaderBytes) / sizeof(std::int32_t));
  const bool fits = header.train_tokens >= 0 && header.train_tokens <= tokens &&
                    header.heldout_tokens == tokens - header.train_tokens &&
                    bytes.size() % sizeof(std::int32_t) == 0;
  return fits ? std::optional(header) : std::nullopt;
}

bool tokens_are_whole(std::span<const std::int32_t> tokens, const Header& header) {
  std::uint64_t checksum = 0;
  std::uint32_t highest = 0;  // a negative id counts as a high one
  while (!tokens.empty()) {
    const auto block = tokens.first(std::min(tokens.size(), kBlockTokens));
    checksum = xxh3(block.data(), block.size_bytes(), checksum);
    for (const std::int32_t id : block) {
      highest = std::max(highest, static_cast<std::uint32_t>(id));
    }
    tokens = tokens.subspan(block.size());
  }
  return checksum == header.payload_checksum && highest < header.vocab_size;
}

// The tokenizer's text, if it is the one that the header knows.
std::optional<std::string> read_tokenizer_text(const std::filesystem::path& folder,
                                               const Header& header) {
  const Result<MappedFile> file = MappedFile::open(tokenizer_path(folder));
  if (!file) {
    return std::nullopt;
  }
  const auto bytes = file->bytes();
  if (xxh3(bytes.data(), bytes.size()) != header.tokenizer_checksum) {
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<Tokenizer> own_tokenizer(const std::string& text, const std::filesystem::path& folder,
                                       const Header& header) {
  Result<Tokenizer> tokenizer = Tokenizer::parse(text, tokenizer_path(folder).string());
  if (!tokenizer || tokenizer->vocab_size() != header.vocab_size) {
    return std::nullopt;
  }
  return std::move(*tokenizer);
}

}  // namespace

std::string brought_tokenizer_text(const std::string& digest) {
  return json_text(Json{{"tokenizer_of_model", digest}});
}

std::optional<TokenFile> open_token_file(const std::filesystem::path& folder,
                                         const std::string& brought) {
  Result<MappedFile> file = MappedFile::open(tokens_path(folder));
  if (!file) {
    return std::nullopt;
  }
  const std::span<const std::byte> bytes = file->bytes();
  const std::optional<Header> header = read_header(bytes);
  if (!header) {
    return std::nullopt;
  }
  const std::span<const std::int32_t> tokens(
      reinterpret_cast<const std::int32_t*>(bytes.data() + kHeaderBytes),
      (bytes.size() - kHeaderBytes) / sizeof(std::int32_t));
  const std::optional<std::string> text = read_tokenizer_text(folder, *header);
  if (!text || !tokens_are_whole(tokens, *header)) {
    return std::nullopt;
  }
  std::optional<Tokenizer> tokenizer;
  if (brought.empty()) {
    tokenizer = own_tokenizer(*text, folder, *header);
  }
  if (brought.empty() ? !tokenizer : *text != brought_tokenizer_text(brought)) {
    return std::nullopt;
  }
  const auto train_tokens = static_cast<std::size_t>(header->train_tokens);
  CorpusInfo info;
  info.digest.assign(header->digest.begin(), header->digest.end());
  info.vocab_size = header->vocab_size;
  info.train_tokens = header->train_tokens;
  info.heldout_tokens = header->heldout_tokens;
  info.files = header->files;
  info.skipped_files = header->skipped_files;
  info.text_bytes = header->text_bytes;
  return TokenFile{.info = std::move(info),
                   .tokenizer = std::move(tokenizer),
                   .file = std::move(*file),
                   .train = tokens.first(train_tokens),
                   .heldout = tokens.subspan(train_tokens)};
}

TokenFileWriter::TokenFileWriter(AtomicFile file, const std::string& tokenizer_text)
    : file_(std::move(file)),
      tokenizer_checksum_(xxh3(tokenizer_text.data(), tokenizer_text.size())) {
  digest_.update(tokenizer_text.data(), tokenizer_text.size());
  block_.reserve(kBlockTokens);
}

Result<TokenFileWriter> TokenFileWriter::create(const std::filesystem::path& folder,
                                                const std::string& tokenizer) {
  if (const Result<void> written = write_file_atomically(tokenizer_path(folder), tokenizer);
      !written) {
    return written.error();
  }
  Result<AtomicFile> file = AtomicFile::create(tokens_path(folder));
  if (!file) {
    return file.error();
  }
  const std::array<char, kHeaderBytes> room{};
  if (const Result<void> written = file->write(room.data(), room.size()); !written) {
    return written.error();
  }
  return TokenFileWriter(std::move(*file), tokenizer);
}

Result<void> TokenFileWriter::append(Split split, std::span<const std::int32_t> tokens) {
  CHECK(split == Split::kHeldout || heldout_tokens_ == 0, "the training part comes first");
  (split == Split::kTrain ? train_tokens_ : heldout_tokens_) +=
      static_cast<std::int64_t>(tokens.size());
  while (!tokens.empty()) {
    const auto part = tokens.first(std::min(tokens.size(), kBlockTokens - block_.size()));
    block_.insert(block_.end(), part.begin(), part.end());
    tokens = tokens.subspan(part.size());
    if (block_.size() == kBlockTokens) {
      if (const Result<void> written = flush(); !written) {
        return written;
      }
    }
  }
  return {};
}

Result<void> TokenFileWriter::flush() {
  const std::size_t bytes = block_.size() * sizeof(std::int32_t);
  payload_checksum_ = xxh3(block_.data(), bytes, payload_checksum_);
  digest_.update(block_.data(), bytes);
  const Result<void> written = file_.write(block_.data(), bytes);
  block_.clear();
  return written;
}

Result<void> TokenFileWriter::finish(CorpusInfo info) {
  if (!block_.empty()) {
    if (const Result<void> written = flush(); !written) {
      return written;
    }
  }
  Header header;
  header.vocab_size = info.vocab_size;
  header.train_tokens = train_tokens_;
  header.heldout_tokens = heldout_tokens_;
  header.files = info.files;
  header.skipped_files = info.skipped_files;
  header.text_bytes = info.text_bytes;
  header.payload_checksum = payload_checksum_;
  header.tokenizer_checksum = tokenizer_checksum_;
  const std::string digest = digest_.hex();
  std::copy(digest.begin(), digest.end(), header.digest.begin());
  header.header_checksum = checksum_of(header);
  if (const Result<void> written = file_.write_at(0, &header, sizeof header); !written) {
    return written;
  }
  return file_.commit();
}

}  // namespace lathe
