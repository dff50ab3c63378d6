// Pieces are counted and encoded on all cores and written in order, a window of them at a time.
#include "engine/data/corpus_builder.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "engine/data/parallel.h"
#include "engine/data/token_file.h"
#include "engine/tokenizer/bpe_trainer.h"

namespace lathe {
namespace {

constexpr std::int64_t kWindowBytes = 64 << 20;

// Shares of the progress bar; reading took the first tenth.
constexpr double kCountFrom = 0.1;
constexpr double kTrainFrom = 0.3;
constexpr double kEncodeFrom = 0.5;

// Pieces [begin, end) that hold about kWindowBytes together, at least one.
std::size_t window_end(const std::vector<Piece>& pieces, std::size_t begin) {
  std::int64_t bytes = 0;
  std::size_t end = begin;
  while (end < pieces.size() && (end == begin || bytes < kWindowBytes)) {
    bytes += pieces[end].end - pieces[end].begin;
    ++end;
  }
  return end;
}

std::optional<Error> first_error(const std::vector<std::optional<Error>>& errors) {
  const auto found =
      std::find_if(errors.begin(), errors.end(),
                   [](const std::optional<Error>& error) { return error.has_value(); });
  return found == errors.end() ? std::nullopt : *found;
}

Result<Tokenizer> make_tokenizer(const DataConfig& config, const Corpus& corpus,
                                 const CorpusProgress& progress) {
  if (config.tokenizer == TokenizerKind::kByte) {
    return Tokenizer::bytes();
  }
  std::size_t used = 0;
  std::int64_t bytes = 0;
  while (used < corpus.pieces.size() && corpus.pieces[used].split == Split::kTrain &&
         bytes < kTokenizerTrainingBytes) {
    bytes += corpus.pieces[used].end - corpus.pieces[used].begin;
    ++used;
  }
  std::vector<WordCounts> counts(worker_count());
  std::vector<std::optional<Error>> errors(used);
  std::atomic<std::size_t> done{0};
  for_each_parallel(used, [&](std::size_t worker, std::size_t item) {
    const Result<std::string> text = read_piece(corpus, corpus.pieces[item]);
    if (!text) {
      errors[item] = text.error();
      return;
    }
    counts[worker].add_text(*text);
    if (++done; worker == 0 && progress) {
      progress(kCountFrom + (kTrainFrom - kCountFrom) * static_cast<double>(done) /
                                static_cast<double>(used),
               "counting words");
    }
  });
  if (const std::optional<Error> error = first_error(errors)) {
    return *error;
  }
  for (std::size_t worker = 1; worker < counts.size(); ++worker) {
    counts[0].add_counts(counts[worker]);
  }
  std::vector<Merge> merges =
      train_bpe(counts[0], config.vocab_size - kFirstMergeId, [&](double share) {
        if (progress) {
          progress(kTrainFrom + (kEncodeFrom - kTrainFrom) * share, "training the tokenizer");
        }
      });
  return Tokenizer::bpe(std::move(merges), config.vocab_size);
}

Result<void> encode_all(const Corpus& corpus, const Tokenizer& tokenizer, TokenFileWriter& writer,
                        const CorpusProgress& progress) {
  std::vector<Encoder> encoders;
  for (std::size_t worker = 0; worker < worker_count(); ++worker) {
    encoders.emplace_back(tokenizer);
  }
  const std::vector<Piece>& pieces = corpus.pieces;
  std::atomic<std::size_t> done{0};
  for (std::size_t begin = 0; begin < pieces.size(); begin = window_end(pieces, begin)) {
    const std::size_t count = window_end(pieces, begin) - begin;
    std::vector<std::vector<std::int32_t>> tokens(count);
    std::vector<std::optional<Error>> errors(count);
    for_each_parallel(count, [&](std::size_t worker, std::size_t item) {
      const Piece& piece = pieces[begin + item];
      const Result<std::string> text = read_piece(corpus, piece);
      if (!text) {
        errors[item] = text.error();
        return;
      }
      encoders[worker].encode(*text, tokens[item]);
      if (piece.ends_document) {
        tokens[item].push_back(kEndMark);
      }
      if (++done; worker == 0 && progress) {
        progress(kEncodeFrom + (1.0 - kEncodeFrom) * static_cast<double>(done) /
                                   static_cast<double>(pieces.size()),
                 "tokenizing");
      }
    });
    if (const std::optional<Error> error = first_error(errors)) {
      return *error;
    }
    for (std::size_t item = 0; item < count; ++item) {
      const Result<void> written = writer.append(pieces[begin + item].split, tokens[item]);
      if (!written) {
        return written;
      }
    }
  }
  return {};
}

}  // namespace

Result<void> build_token_file(const DataConfig& config, const Corpus& corpus,
                              const std::filesystem::path& folder, const CorpusProgress& progress) {
  const Result<Tokenizer> tokenizer = make_tokenizer(config, corpus, progress);
  if (!tokenizer) {
    return tokenizer.error();
  }
  Result<TokenFileWriter> writer = TokenFileWriter::create(folder, *tokenizer);
  if (!writer) {
    return writer.error();
  }
  if (const Result<void> encoded = encode_all(corpus, *tokenizer, *writer, progress); !encoded) {
    return encoded;
  }
  CorpusInfo info;
  info.vocab_size = tokenizer->vocab_size();
  info.files = static_cast<std::int64_t>(corpus.list.files.size());
  info.skipped_files = corpus.skipped_files;
  info.text_bytes = corpus.text_bytes;
  return writer->finish(std::move(info));
}

}  // namespace lathe
