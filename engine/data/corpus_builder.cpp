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

Result<Tokenizer> train_tokenizer(const DataConfig& config, const Corpus& corpus,
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

// A piece as ids, its document between the tokenizer's marks.
void encode_piece(const Piece& piece, const std::string& text, const TextCoder& coder,
                  std::vector<std::int32_t>& ids) {
  if (piece.begin == 0 && coder.begin >= 0) {
    ids.push_back(coder.begin);
  }
  coder.encode(text, false, ids);
  if (piece.ends_document && coder.end >= 0) {
    ids.push_back(coder.end);
  }
}

// `coders`: one for each worker.
Result<void> encode_all(const Corpus& corpus, const std::vector<TextCoder>& coders,
                        TokenFileWriter& writer, const CorpusProgress& progress) {
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
      encode_piece(piece, *text, coders[worker], tokens[item]);
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

Result<void> build_token_file(const DataConfig& config, const ModelEncoding& model,
                              const Corpus& corpus, const std::filesystem::path& folder,
                              const CorpusProgress& progress) {
  std::shared_ptr<const Tokenizer> own;
  if (model.tokenizer == nullptr) {
    Result<Tokenizer> trained = train_tokenizer(config, corpus, progress);
    if (!trained) {
      return trained.error();
    }
    own = std::make_shared<const Tokenizer>(std::move(*trained));
  }
  std::vector<TextCoder> coders;
  for (std::size_t worker = 0; worker < worker_count(); ++worker) {
    coders.push_back(own != nullptr ? make_coder(own) : make_coder(model.tokenizer));
  }
  Result<TokenFileWriter> writer = TokenFileWriter::create(
      folder, own != nullptr ? own->serialise() : brought_tokenizer_text(model.digest));
  if (!writer) {
    return writer.error();
  }
  if (const Result<void> encoded = encode_all(corpus, coders, *writer, progress); !encoded) {
    return encoded;
  }
  CorpusInfo info;
  info.vocab_size = coders.front().vocab_size;
  info.files = static_cast<std::int64_t>(corpus.list.files.size());
  info.skipped_files = corpus.skipped_files;
  info.text_bytes = corpus.text_bytes;
  return writer->finish(std::move(info));
}

}  // namespace lathe
