// See parser.h. Statements only; expressions are in expressions.
#include "engine/tokenizer/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "engine/tokenizer/jinja/expressions.h"

namespace lathe::jinja {
namespace {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens)
      : tokens_(std::move(tokens)), expressions_(tokens_, program_.exprs) {}

  Result<Program> run() {
    program_.main = parse_block({});
    if (tokens_.error()) {
      return *tokens_.error();
    }
    return std::move(program_);
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  Block parse_block(Names enders);
  Statement parse_print();
  Statement parse_tag();
  Statement parse_if(int line);
  Statement parse_for(int line);
  Statement parse_set(int line);
  void end_tag() { tokens_.expect(TokenKind::kTagEnd, "the end of the tag"); }
  bool at_tag(Names names) const;

  Program program_;
  TokenReader tokens_;
  ExpressionParser expressions_;
  int nesting_ = 0;
};

// Whether a tag of one of these names begins here.
bool Parser::at_tag(Names names) const {
  const Token& next = tokens_.peek_next();
  return tokens_.is(TokenKind::kTagBegin) && next.kind == TokenKind::kName &&
         std::find(names.begin(), names.end(), next.text) != names.end();
}

// Statements up to the tag that ends them, of which "{%" and the name are taken; the whole rest
// where there are no such names.
Block Parser::parse_block(Names enders) {
  Block block;
  if (++nesting_ > kMaxNesting) {
    tokens_.fail(tokens_.peek().line, "statements are nested more than " +
                                          std::to_string(kMaxNesting) + " deep, the most allowed");
  }
  while (!tokens_.is(TokenKind::kEnd) && !at_tag(enders)) {
    Statement statement;
    if (tokens_.is(TokenKind::kText)) {
      Token token = tokens_.take();
      statement = {.line = token.line, .text = std::move(token.text)};
    } else {
      statement = tokens_.is(TokenKind::kPrintBegin) ? parse_print() : parse_tag();
    }
    program_.statements.push_back(std::move(statement));
    block.push_back(program_.statements.size() - 1);
  }
  if (enders.size() > 0 && tokens_.is(TokenKind::kEnd)) {
    tokens_.fail_expected("'{% " + std::string(*(enders.end() - 1)) + " %}'");
  }
  --nesting_;
  return block;
}

Statement Parser::parse_print() {
  Statement statement{.kind = StatementKind::kPrint, .line = tokens_.take().line};
  statement.exprs.push_back(expressions_.parse());
  tokens_.expect(TokenKind::kPrintEnd, "'}}'");
  return statement;
}

Statement Parser::parse_tag() {
  const int line = tokens_.take().line;
  if (tokens_.skip_name("if")) {
    return parse_if(line);
  }
  if (tokens_.skip_name("for")) {
    return parse_for(line);
  }
  if (tokens_.skip_name("set")) {
    return parse_set(line);
  }
  if (tokens_.is(TokenKind::kName)) {
    const std::string name = tokens_.peek().text;
    const bool closes = name.starts_with("end") || name == "else" || name == "elif";
    tokens_.fail(line, "the statement " + quoted(name) + " " +
                           (closes ? "ends nothing that is open" : "is not known here"));
  } else {
    tokens_.fail_expected("a statement");
  }
  return {};
}

Statement Parser::parse_if(int line) {
  Statement statement{.kind = StatementKind::kIf, .line = line};
  bool has_else = false;
  do {
    statement.exprs.push_back(has_else ? kNoExpr : expressions_.parse());
    end_tag();
    statement.blocks.push_back(has_else ? parse_block({"endif"})
                                        : parse_block({"elif", "else", "endif"}));
    tokens_.take();  // "{%"
    has_else = tokens_.is_name("else");
  } while (tokens_.skip_name("elif") || tokens_.skip_name("else"));
  tokens_.expect_name("endif");
  end_tag();
  return statement;
}

Statement Parser::parse_for(int line) {
  Statement statement{.kind = StatementKind::kFor, .line = line};
  do {
    statement.names.push_back(tokens_.expect_variable());
    if (statement.names.back() == "loop") {
      tokens_.fail(line, "a loop's variable cannot be named 'loop'");
    }
  } while (tokens_.skip_operator(","));
  tokens_.expect_name("in");
  const ExprId sequence = expressions_.parse_or();
  const ExprId condition = tokens_.skip_name("if") ? expressions_.parse() : kNoExpr;
  statement.exprs = {sequence, condition};
  if (tokens_.is_name("recursive")) {
    tokens_.fail(line, "a loop that is 'recursive' is not known here");
  }
  end_tag();
  statement.blocks.push_back(parse_block({"else", "endfor"}));
  tokens_.take();  // "{%"
  if (tokens_.skip_name("else")) {
    end_tag();
    statement.blocks.push_back(parse_block({"endfor"}));
    tokens_.take();
  }
  tokens_.expect_name("endfor");
  end_tag();
  return statement;
}

Statement Parser::parse_set(int line) {
  Statement statement{.kind = StatementKind::kSet, .line = line};
  statement.names.push_back(tokens_.expect_variable());
  if (tokens_.skip_operator(".")) {
    statement.names.push_back(tokens_.expect_variable());
  }
  if (tokens_.is(TokenKind::kTagEnd) || tokens_.is_operator("|")) {
    tokens_.fail(line, "'set' without '=', which goes on to 'endset', is not known here");
  }
  tokens_.expect_operator("=");
  statement.exprs.push_back(expressions_.parse());
  end_tag();
  return statement;
}

}  // namespace

Result<Program> parse_program(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return template_error(1, "it has " + std::to_string(source.size()) + " bytes; the most is " +
                                 std::to_string(kMaxSourceBytes));
  }
  Result<std::vector<Token>> tokens = read_tokens(source);
  if (!tokens) {
    return tokens.error();
  }
  return Parser(std::move(*tokens)).run();
}

}  // namespace lathe::jinja
