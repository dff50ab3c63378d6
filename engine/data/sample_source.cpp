// Settles the parts of all samples and lays their tokens one after the other.
#include "engine/data/sample_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "engine/base/hash.h"
#include "engine/data/corpus_builder.h"
#include "engine/data/sample_coder.h"
#include "engine/data/sample_reader.h"
#include "engine/tokenizer/bpe_trainer.h"

namespace lathe {
namespace {

// Shares of the progress bar.
constexpr double kTrainFrom = 0.3;
constexpr double kEncodeFrom = 0.5;
constexpr std::size_t kReportEvery = 256;  // samples

// The tokens of one part.
struct Part {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;
  std::vector<std::int64_t> begins{0};
  std::int64_t samples() const { return static_cast<std::int64_t>(begins.size()) - 1; }
};

class SampleTokens final : public TokenSource {
 public:
  SampleTokens(CorpusInfo info, std::array<Part, 2> parts, TextCoder coder,
               std::shared_ptr<const Tokenizer> own)
      : info_(std::move(info)),
        parts_(std::move(parts)),
        coder_(std::move(coder)),
        own_(std::move(own)) {}

  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split split) const override { return part(split).ids; }
  SampleStream samples(Split split) const override {
    return {.begins = part(split).begins, .targets = part(split).targets};
  }
  std::string decode(std::span<const std::int32_t> ids) const override {
    return coder_.decode(ids);
  }
  const Tokenizer* tokenizer() const override { return own_.get(); }

 private:
  const Part& part(Split split) const { return parts_[split == Split::kTrain ? 0 : 1]; }

  CorpusInfo info_;
  std::array<Part, 2> parts_;  // training, held out
  TextCoder coder_;
  std::shared_ptr<const Tokenizer> own_;  // null where a model brought one
};

// The share that holds out at least one sample, and not all: of very few, that nearest the edge.
double heldout_share(double share, const std::vector<PlacedSample>& samples) {
  double least = 1;
  double most = 0;
  for (const PlacedSample& sample : samples) {
    least = std::min(least, sample.place);
    most = std::max(most, sample.place);
  }
  if (share > most) {
    return most;  // places below it are held out
  }
  return share > least ? share : std::nextafter(least, 1.0);
}

Error too_few(const DataConfig& config, const CorpusInfo& info) {
  return {
      ErrorKind::kData,
      config.path + " gives " + std::to_string(info.train_samples) + " samples to train on and " +
          std::to_string(info.heldout_samples) + " held-out ones (" +
          std::to_string(info.dropped_samples) +
          " were dropped, of whose answers train.seq_len leaves nothing); one of each is needed",
      "give more samples, or raise train.seq_len"};
}

using Rendered = std::vector<RenderedSample>;

// The corpus' own tokenizer, of the rendered training samples as the model will read them.
Result<Tokenizer> train_tokenizer(const DataConfig& config, const Rendered& rendered,
                                  const std::vector<bool>& held_out,
                                  const CorpusProgress& progress) {
  if (config.tokenizer == TokenizerKind::kByte) {
    return Tokenizer::bytes();
  }
  WordCounts counts;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < rendered.size() && bytes < kTokenizerTrainingBytes; ++i) {
    for (const PromptPart& part : rendered[i].parts) {
      if (!held_out[i]) {
        counts.add_text(part.text);
        bytes += static_cast<std::int64_t>(part.text.size());
      }
    }
  }
  return Tokenizer::bpe(train_bpe(counts, config.vocab_size - kFirstMergeId,
                                  [&](double share) {
                                    if (progress) {
                                      progress(kTrainFrom + (kEncodeFrom - kTrainFrom) * share,
                                               "training the tokenizer");
                                    }
                                  }),
                        config.vocab_size);
}

// Adds the tokens of the samples to their parts and counts what became of them.
void encode_samples(const Rendered& rendered, const std::vector<bool>& held_out,
                    const TextCoder& coder, std::int64_t seq_len, const CorpusProgress& progress,
                    std::array<Part, 2>& parts, CorpusInfo& info) {
  for (std::size_t i = 0; i < rendered.size(); ++i) {
    if (progress && i % kReportEvery == 0) {
      progress(kEncodeFrom + (1.0 - kEncodeFrom) * static_cast<double>(i) /
                                 static_cast<double>(rendered.size()),
               "encoding samples");
    }
    CodedSample coded = code_sample(rendered[i], coder);
    const bool cut = cut_to(seq_len, coded);
    if (!coded.has_targets()) {
      ++info.dropped_samples;
      continue;
    }
    info.cut_samples += cut ? 1 : 0;
    Part& part = parts[held_out[i] ? 1 : 0];
    part.ids.insert(part.ids.end(), coded.ids.begin(), coded.ids.end());
    part.targets.insert(part.targets.end(), coded.targets.begin(), coded.targets.end());
    part.begins.push_back(static_cast<std::int64_t>(part.ids.size()));
  }
  info.vocab_size = coder.vocab_size;
  info.train_samples = parts[0].samples();
  info.heldout_samples = parts[1].samples();
  info.train_tokens = static_cast<std::int64_t>(parts[0].ids.size());
  info.heldout_tokens = static_cast<std::int64_t>(parts[1].ids.size());
}

// All that batches are made of.
std::string digest_of(const std::array<Part, 2>& parts, std::int64_t vocab_size) {
  Sha256 digest;
  digest.update(&vocab_size, sizeof vocab_size);
  for (const Part& part : parts) {
    const std::array<std::size_t, 2> sizes{part.ids.size(), part.begins.size()};
    digest.update(sizes.data(), sizeof sizes);
    digest.update(part.ids.data(), part.ids.size() * sizeof part.ids[0]);
    digest.update(part.targets.data(), part.targets.size() * sizeof part.targets[0]);
    digest.update(part.begins.data(), part.begins.size() * sizeof part.begins[0]);
  }
  return digest.hex();
}

}  // namespace

std::string left_out_note(const CorpusInfo& info) {
  std::string note;
  if (info.without_samples > 0) {
    note =
        std::to_string(info.without_samples) + " samples are left out, whose text data.without has";
  }
  if (info.cut_samples + info.dropped_samples == 0) {
    return note;
  }
  return note + (note.empty() ? "" : "; ") + std::to_string(info.cut_samples) + " of " +
         std::to_string(info.train_samples + info.heldout_samples) +
         " samples are longer than train.seq_len and lose their end; " +
         std::to_string(info.dropped_samples) +
         " more are dropped, of whose answers nothing would be left";
}

Result<std::shared_ptr<const TokenSource>> open_samples(const DataConfig& config,
                                                        std::int64_t seq_len,
                                                        const ModelEncoding& model,
                                                        const CorpusProgress& progress) {
  const auto renderer = SampleRenderer::make(config, model.chat);
  if (!renderer) {
    return renderer.error();
  }
  auto read = read_samples(config);
  if (!read) {
    return read.error();
  }
  std::vector<PlacedSample>& samples = read->samples;
  CorpusInfo info;
  info.files = read->files;
  info.without_samples = read->without;
  Rendered rendered;
  std::vector<bool> held_out;
  const double share = heldout_share(config.heldout, samples);
  for (const PlacedSample& placed : samples) {
    const bool out = placed.place < share;
    if (out && placed.copy > 0) {
      continue;  // repeats weigh what is learnt, not what is measured
    }
    auto one = renderer->render(placed.sample);
    if (!one) {
      return one.error();
    }
    rendered.push_back(std::move(*one));
    held_out.push_back(out);
    info.text_bytes += text_bytes(placed.sample);
  }
  samples.clear();
  std::shared_ptr<const Tokenizer> own;
  if (model.tokenizer == nullptr) {
    auto trained = train_tokenizer(config, rendered, held_out, progress);
    if (!trained) {
      return trained.error();
    }
    own = std::make_shared<const Tokenizer>(std::move(*trained));
  }
  TextCoder coder = own != nullptr ? make_coder(own) : make_coder(model.tokenizer);
  std::array<Part, 2> parts;
  encode_samples(rendered, held_out, coder, seq_len, progress, parts, info);
  if (info.train_samples == 0 || info.heldout_samples == 0) {
    return too_few(config, info);
  }
  info.digest = digest_of(parts, info.vocab_size);
  if (progress) {
    progress(1.0, "corpus ready");
  }
  return std::shared_ptr<const TokenSource>(
      std::make_shared<SampleTokens>(std::move(info), std::move(parts), std::move(coder), own));
}

}  // namespace lathe
