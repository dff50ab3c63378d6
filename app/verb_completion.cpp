// lathe completion bash|zsh|fish: made from the verbs and options themselves, so it cannot go
// stale.
#include <fmt/core.h>

#include "app/cli.h"
#include "app/verb_list.h"

namespace lathe::app {
namespace {

// Long options of a command, separated by blanks.
std::string option_words(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words += (words.empty() ? "--" : " --") + name;
    }
  }
  return words;
}

std::string verb_words(const CLI::App& root) {
  std::string words;
  for (const CLI::App* verb : root.get_subcommands({})) {
    words += (words.empty() ? "" : " ") + verb->get_name();
  }
  return words;
}

void print_bash(const CLI::App& root) {
  fmt::print(
      "_lathe() {{\n  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"\"\n"
      "  case \"${{COMP_WORDS[1]}}\" in\n");
  for (const CLI::App* verb : root.get_subcommands({})) {
    fmt::print("    {}) words=\"{} {}\" ;;\n", verb->get_name(), option_words(*verb),
               option_words(root));
  }
  fmt::print(
      "    *) words=\"{} {}\" ;;\n  esac\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && words=\"{} {}\"\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}}\n"
      "complete -o default -F _lathe lathe\n",
      verb_words(root), option_words(root), verb_words(root), option_words(root));
}

void print_zsh(const CLI::App& root) {
  fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
  print_bash(root);
}

// A description within single quotes.
std::string quoted(std::string text) {
  std::string out;
  for (const char letter : text) {
    out += letter == '\'' ? std::string("\\'") : std::string(1, letter);
  }
  return "'" + out + "'";
}

void print_fish(const CLI::App& root) {
  for (const CLI::App* verb : root.get_subcommands({})) {
    fmt::print("complete -c lathe -n __fish_use_subcommand -a {} -d {}\n", verb->get_name(),
               quoted(verb->get_description()));
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        fmt::print("complete -c lathe -n '__fish_seen_subcommand_from {}' -l {} -d {}\n",
                   verb->get_name(), name, quoted(option->get_description()));
      }
    }
  }
}

}  // namespace

void add_completion(CLI::App& root, Cli& cli) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* verb = add_verb(
      root, cli, "completion", "Completion for a shell: source <(lathe completion bash)",
      [&root, shell] {
        *shell == "fish" ? print_fish(root) : *shell == "zsh" ? print_zsh(root) : print_bash(root);
        return 0;
      });
  verb->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

}  // namespace lathe::app
