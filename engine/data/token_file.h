// The cached form of a tokenized corpus: one file of 32-bit token ids behind a header with counts
// and checksums, and beside it the tokenizer, or the name of the one that a model brought. Written
// once, then only mapped. It belongs to the machine that wrote it (byte order), may be deleted at
// any time, and is checked whole before it is used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/base/mapped_file.h"
#include "engine/base/result.h"
#include "engine/data/token_source.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {

// A checked token file.
struct TokenFile {
  CorpusInfo info;
  std::optional<Tokenizer> tokenizer;  // nothing where a model brought it
  MappedFile file;
  std::span<const std::int32_t> train;  // into `file`
  std::span<const std::int32_t> heldout;
};

// Nothing where the folder holds no token file, a damaged one, or one of another version: then it
// is to be written anew. `brought`: the digest of the model's tokenizer that made it; empty: its
// own.
std::optional<TokenFile> open_token_file(const std::filesystem::path& folder,
                                         const std::string& brought = {});

// What stands for a brought tokenizer in the folder.
std::string brought_tokenizer_text(const std::string& digest);

// Writes a token file: the training tokens, then the held-out ones, then finish(). Errors are
// kDisk.
class TokenFileWriter {
 public:
  // Writes the tokenizer's text (Tokenizer::serialise() or brought_tokenizer_text()) at once.
  static Result<TokenFileWriter> create(const std::filesystem::path& folder,
                                        const std::string& tokenizer);

  Result<void> append(Split split, std::span<const std::int32_t> tokens);
  // Of `info`, digest and token counts are filled in here.
  Result<void> finish(CorpusInfo info);

 private:
  TokenFileWriter(AtomicFile file, const std::string& tokenizer_text);
  Result<void> flush();

  AtomicFile file_;
  std::uint64_t tokenizer_checksum_ = 0;
  std::uint64_t payload_checksum_ = 0;
  Sha256 digest_;
  std::vector<std::int32_t> block_;  // not yet written
  std::int64_t train_tokens_ = 0;
  std::int64_t heldout_tokens_ = 0;
};

}  // namespace lathe
