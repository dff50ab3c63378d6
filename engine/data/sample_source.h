// A corpus of samples for fine-tuning: read, rendered, encoded and divided into a training and a
// held-out part, in memory.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/text_coder.h"
#include "engine/data/token_source.h"

namespace lathe {

// The samples of data.path, a file or a folder of .json and .jsonl files; of kind sentiment several
// of them, of .csv files as well, without those whose text data.without has. They stand in the
// order of a hash of their texts, and another hash of them decides which are held out: neither
// changes when samples join or leave, and equal ones are never in both parts. At least one is in
// each part. A sample longer than seq_len + 1 tokens is cut at its end; one of whose answers
// nothing is then left, or that has none, is dropped; both are counted. kData for a missing file, a
// sample out of its schema, or no two samples with answers; kUsage for a prompt that does not fit
// the kind.
Result<std::shared_ptr<const TokenSource>> open_samples(const DataConfig& config,
                                                        std::int64_t seq_len,
                                                        const ModelEncoding& model,
                                                        const CorpusProgress& progress);

}  // namespace lathe
