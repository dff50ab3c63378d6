// The text of a corpus as pieces of a size that fits in memory, checked to be text and divided into
// a training and a held-out part by a hash of each file's path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/corpus_files.h"
#include "engine/data/token_source.h"

namespace lathe {

// Bytes [begin, end) of a file, ending at a line end or at least at the end of a character.
struct Piece {
  std::size_t file = 0;  // index into Corpus::list.files
  std::int64_t begin = 0;
  std::int64_t end = 0;
  Split split = Split::kTrain;
  bool ends_document = false;
  std::string sha256;  // of the bytes as first read
};

struct Corpus {
  FileList list;
  std::vector<Piece> pieces;       // training first, then held-out; files in the order of the list
  std::int64_t skipped_files = 0;  // binary or not UTF-8; not among the pieces
  std::int64_t text_bytes = 0;
};

// Reads all files once. kData, saying what was found, where none of them is text.
Result<Corpus> read_corpus(const DataConfig& config, FileList list, const CorpusProgress& progress);

// The bytes of a piece. kData where it cannot be read or is not what it was at first.
Result<std::string> read_piece(const Corpus& corpus, const Piece& piece);

}  // namespace lathe
