// Cuts files into pieces, checks them on all cores, and settles which are held out.
#include "engine/data/corpus_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/base/hash.h"
#include "engine/data/parallel.h"
#include "engine/tokenizer/utf8.h"
#include "engine/tokenizer/word_splitter.h"

namespace lathe {
namespace {

constexpr std::int64_t kPieceBytes = 16 << 20;
constexpr std::int64_t kLongestLine = 64 << 10;  // a line end is looked for within this
// Independent of the hash that orders the files, so that max_bytes takes from both parts.
constexpr std::uint64_t kSplitSeed = 0x5917;

Error unreadable(const CorpusFile& file, const std::string& reason) {
  return Error{.kind = ErrorKind::kData,
               .message = "cannot read " + file.path.string() + ": " + reason,
               .remedy = "make it readable, or move it out of the corpus"};
}

Result<std::string> read_range(const CorpusFile& file, std::int64_t begin, std::int64_t end) {
  const int descriptor = open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return unreadable(file, std::generic_category().message(errno));
  }
  std::string text(static_cast<std::size_t>(end - begin), '\0');
  std::size_t done = 0;
  int code = 0;
  while (done < text.size()) {
    const ssize_t got = pread(descriptor, text.data() + done, text.size() - done,
                              static_cast<off_t>(begin) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      code = got < 0 ? errno : 0;
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  close(descriptor);
  if (done < text.size()) {
    return unreadable(file, code != 0 ? std::generic_category().message(code)
                                      : "it became shorter while it was read");
  }
  return text;
}

// The last place at or before `position` where text may be cut: after a line end, else before the
// first byte of a character.
Result<std::int64_t> boundary_before(const CorpusFile& file, std::int64_t position) {
  const std::int64_t begin = std::max<std::int64_t>(0, position - kLongestLine);
  const Result<std::string> text = read_range(file, begin, std::min(position + 1, file.bytes));
  if (!text) {
    return text.error();
  }
  const auto length = static_cast<std::size_t>(position - begin);
  if (length > 0) {
    const std::size_t line_end = text->rfind('\n', length - 1);
    if (line_end != std::string::npos) {
      return begin + static_cast<std::int64_t>(line_end) + 1;
    }
  }
  std::size_t cut = length;
  while (cut > 0 && cut < text->size() && length - cut < 3 &&
         (static_cast<unsigned char>((*text)[cut]) & 0xC0U) == 0x80U) {
    --cut;
  }
  return begin + static_cast<std::int64_t>(cut);
}

// The pieces of bytes [begin, end) of a file as one document.
Result<void> add_document(const FileList& list, std::size_t index, std::int64_t begin,
                          std::int64_t end, Split split, std::vector<Piece>& pieces) {
  while (begin < end) {
    std::int64_t cut = end;
    if (end - begin > kPieceBytes) {
      const Result<std::int64_t> found = boundary_before(list.files[index], begin + kPieceBytes);
      if (!found) {
        return found.error();
      }
      cut = *found;
    }
    pieces.push_back({.file = index,
                      .begin = begin,
                      .end = cut,
                      .split = split,
                      .ends_document = cut == end,
                      .sha256 = {}});
    begin = cut;
  }
  return {};
}

// A lone file: its last part is held out.
Result<void> add_lone_file(const DataConfig& config, const FileList& list,
                           std::vector<Piece>& pieces) {
  const CorpusFile& file = list.files.front();
  std::int64_t end = file.bytes;
  if (config.max_bytes > 0 && config.max_bytes < end) {
    const Result<std::int64_t> found = boundary_before(file, config.max_bytes);
    if (!found) {
      return found.error();
    }
    end = *found;
  }
  const auto target = static_cast<std::int64_t>(static_cast<double>(end) * (1.0 - config.heldout));
  const Result<std::int64_t> cut = boundary_before(file, target);
  if (!cut) {
    return cut.error();
  }
  if (const Result<void> added = add_document(list, 0, 0, *cut, Split::kTrain, pieces); !added) {
    return added;
  }
  return add_document(list, 0, *cut, end, Split::kHeldout, pieces);
}

// Which files are held out, each by its own hash; at least one, and not all.
std::vector<bool> choose_held_out(double share, const FileList& list) {
  std::vector<double> places;  // in [0, 1)
  std::vector<bool> chosen;
  for (const CorpusFile& file : list.files) {
    const std::uint64_t hash = xxh3(file.relative.data(), file.relative.size(), kSplitSeed);
    places.push_back(static_cast<double>(hash >> 11) * 0x1.0p-53);
    chosen.push_back(places.back() < share);
  }
  const auto [least, most] = std::minmax_element(places.begin(), places.end());
  chosen[static_cast<std::size_t>(least - places.begin())] = true;
  chosen[static_cast<std::size_t>(most - places.begin())] = false;
  return chosen;
}

Result<std::vector<Piece>> make_pieces(const DataConfig& config, const FileList& list) {
  std::vector<Piece> pieces;
  if (list.files.size() == 1) {
    const Result<void> added = add_lone_file(config, list, pieces);
    return added ? Result<std::vector<Piece>>(std::move(pieces)) : added.error();
  }
  const std::vector<bool> held_out = choose_held_out(config.heldout, list);
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (std::size_t index = 0; index < list.files.size(); ++index) {
      if (held_out[index] != (split == Split::kHeldout)) {
        continue;
      }
      const Result<void> added =
          add_document(list, index, 0, list.files[index].bytes, split, pieces);
      if (!added) {
        return added.error();
      }
    }
  }
  return pieces;
}

// Digests each piece and finds the files that are no text, by index.
Result<std::vector<bool>> check_pieces(const FileList& list, std::vector<Piece>& pieces,
                                       const CorpusProgress& progress) {
  std::vector<std::atomic<bool>> is_binary(list.files.size());
  std::vector<std::optional<Error>> errors(pieces.size());
  std::atomic<std::size_t> done{0};
  for_each_parallel(pieces.size(), [&](std::size_t worker, std::size_t item) {
    Piece& piece = pieces[item];
    const Result<std::string> text = read_range(list.files[piece.file], piece.begin, piece.end);
    if (!text) {
      errors[item] = text.error();
      return;
    }
    if (text->find('\0') != std::string::npos || !is_utf8(*text)) {
      is_binary[piece.file] = true;
    }
    piece.sha256 = sha256_hex(*text);
    if (++done; worker == 0 && progress) {
      progress(0.1 * static_cast<double>(done) / static_cast<double>(pieces.size()),
               "reading " + std::to_string(list.files.size()) + " files");
    }
  });
  for (const std::optional<Error>& error : errors) {
    if (error) {
      return *error;
    }
  }
  return std::vector<bool>(is_binary.begin(), is_binary.end());
}

Error no_text(const FileList& list) {
  return Error{
      .kind = ErrorKind::kData,
      .message = "the corpus " + list.root.string() +
                 " holds no text: " + std::to_string(list.files.size()) +
                 (list.files.size() == 1 ? " file was read and is" : " files were read and are") +
                 " binary or not UTF-8",
      .remedy = "name UTF-8 text as data.path, e.g. after iconv -t UTF-8"};
}

}  // namespace

Result<Corpus> read_corpus(const DataConfig& config, FileList list,
                           const CorpusProgress& progress) {
  Corpus corpus;
  for (;;) {
    Result<std::vector<Piece>> pieces = make_pieces(config, list);
    if (!pieces) {
      return pieces.error();
    }
    const Result<std::vector<bool>> is_binary = check_pieces(list, *pieces, progress);
    if (!is_binary) {
      return is_binary.error();
    }
    const auto binary = std::count(is_binary->begin(), is_binary->end(), true);
    if (static_cast<std::size_t>(binary) == list.files.size()) {
      return no_text(list);
    }
    if (binary == 0) {
      corpus.pieces = std::move(*pieces);
      break;
    }
    // Which files are held out may hang on those that now leave: settle it anew without them.
    corpus.skipped_files += binary;
    std::size_t index = 0;
    std::erase_if(list.files, [&](const CorpusFile&) { return (*is_binary)[index++]; });
  }
  corpus.list = std::move(list);
  for (const Piece& piece : corpus.pieces) {
    corpus.text_bytes += piece.end - piece.begin;
  }
  return corpus;
}

Result<std::string> read_piece(const Corpus& corpus, const Piece& piece) {
  const CorpusFile& file = corpus.list.files[piece.file];
  Result<std::string> text = read_range(file, piece.begin, piece.end);
  if (text && sha256_hex(*text) != piece.sha256) {
    return unreadable(file, "it changed while it was read");
  }
  return text;
}

}  // namespace lathe
