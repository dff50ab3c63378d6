// Which files make up a corpus: found by walking a folder, in an order that depends on each file's
// relative path alone, so that a new file moves none of the others.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"

namespace lathe {

struct CorpusFile {
  std::string relative;  // to the corpus folder; the identity of a file
  std::filesystem::path path;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t hash = 0;  // of `relative`; gives the order
};

struct FileList {
  std::filesystem::path root;     // the folder or the file itself
  std::vector<CorpusFile> files;  // not empty; in the order of their hashes
};

// The folder or file that data.path means: python-stdlib is $LATHE_CORPUS where that is set, else
// the newest installed Python's library folder.
Result<std::filesystem::path> resolve_corpus_path(const std::string& path);

// Regular files with one of the endings, hidden ones and __pycache__ left out, links followed (each
// folder once). Of the standard library its tests and installed packages are left out. With
// max_bytes, files in order of their hash as long as they fit. kData, saying what was found, where
// nothing is left.
Result<FileList> list_corpus_files(const DataConfig& config);

}  // namespace lathe
